#!/usr/bin/env python3
"""Compares rollsafe's parser with PostgreSQL's own, statement by statement.

    python3 -m venv /tmp/pglast && /tmp/pglast/bin/pip install pglast
    cargo build --example parse
    /tmp/pglast/bin/python scripts/compare-with-pglast.py target/debug/examples/parse FOLDER…

`pglast` carries the parser of PostgreSQL itself. It is a tool for development: nothing of it is in
rollsafe, and no test needs it. For each folder this prints how many of the statements that PostgreSQL
accepts are understood, how many that it rejects are "understood" all the same, and where the two
disagree on kind, ALTER TABLE actions, CONCURRENTLY, IF EXISTS, CASCADE, NOT VALID and relations.
"""

import collections
import json
import re
import subprocess
import sys

import pglast
from pglast import ast
from pglast.enums import AlterTableType as AT
from pglast.enums import DropBehavior, ConstrType

LISTED = 25


def walk(node):
    """All nodes under `node`, itself first."""
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, ast.Node):
            yield here
            stack.extend(getattr(here, slot) for slot in here)
        elif isinstance(here, (tuple, list)):
            stack.extend(here)


def full(name):
    return f"{name.schemaname}.{name.relname}" if name.schemaname else name.relname


def relations(node):
    return {full(n) for n in walk(node) if isinstance(n, ast.RangeVar)}


def ctes(node):
    return {n.ctename for n in walk(node) if isinstance(n, ast.CommonTableExpr)}


# ALTER TABLE subcommands by the names of rollsafe's actions.
ACTIONS = {
    AT.AT_AddColumn: "AddColumn",
    AT.AT_ColumnDefault: ("SetDefault", "DropDefault"),
    AT.AT_DropNotNull: "DropNotNull",
    AT.AT_SetNotNull: "SetNotNull",
    AT.AT_SetExpression: "SetExpression",
    AT.AT_DropExpression: "DropExpression",
    AT.AT_SetStatistics: "SetStatistics",
    AT.AT_SetOptions: "SetColumnOptions",
    AT.AT_ResetOptions: "SetColumnOptions",
    AT.AT_SetStorage: "SetStorage",
    AT.AT_SetCompression: "SetCompression",
    AT.AT_DropColumn: "DropColumn",
    AT.AT_AddConstraint: "AddConstraint",
    AT.AT_AlterConstraint: "AlterConstraint",
    AT.AT_ValidateConstraint: "ValidateConstraint",
    AT.AT_DropConstraint: "DropConstraint",
    AT.AT_AlterColumnType: "SetType",
    AT.AT_ChangeOwner: "OwnerTo",
    AT.AT_ClusterOn: "ClusterOn",
    AT.AT_DropCluster: "SetWithoutCluster",
    AT.AT_SetLogged: "SetLogged",
    AT.AT_SetUnLogged: "SetUnlogged",
    AT.AT_DropOids: "SetWithoutOids",
    AT.AT_SetAccessMethod: "SetAccessMethod",
    AT.AT_SetTableSpace: "SetTablespace",
    AT.AT_SetRelOptions: "SetOptions",
    AT.AT_ResetRelOptions: "SetOptions",
    AT.AT_EnableTrig: "Trigger",
    AT.AT_EnableAlwaysTrig: "Trigger",
    AT.AT_EnableReplicaTrig: "Trigger",
    AT.AT_DisableTrig: "Trigger",
    AT.AT_EnableTrigAll: "Trigger",
    AT.AT_DisableTrigAll: "Trigger",
    AT.AT_EnableTrigUser: "Trigger",
    AT.AT_DisableTrigUser: "Trigger",
    AT.AT_EnableRule: "Rule",
    AT.AT_EnableAlwaysRule: "Rule",
    AT.AT_EnableReplicaRule: "Rule",
    AT.AT_DisableRule: "Rule",
    AT.AT_AddInherit: "Inherit",
    AT.AT_DropInherit: "NoInherit",
    AT.AT_AddOf: "OfType",
    AT.AT_DropOf: "NotOfType",
    AT.AT_ReplicaIdentity: "ReplicaIdentity",
    AT.AT_EnableRowSecurity: "RowSecurity",
    AT.AT_DisableRowSecurity: "RowSecurity",
    AT.AT_ForceRowSecurity: "ForceRowSecurity",
    AT.AT_NoForceRowSecurity: "ForceRowSecurity",
    AT.AT_GenericOptions: "Harmless",
    AT.AT_AlterColumnGenericOptions: "Harmless",
    AT.AT_AttachPartition: "AttachPartition",
    AT.AT_DetachPartition: "DetachPartition",
    AT.AT_DetachPartitionFinalize: "DetachPartition",
    AT.AT_AddIdentity: "AddIdentity",
    AT.AT_SetIdentity: "AlterIdentity",
    AT.AT_DropIdentity: "DropIdentity",
}

KINDS = {
    "AlterTableStmt": "ALTER",
    "IndexStmt": "CREATE INDEX",
    "CreateStmt": "CREATE TABLE",
    "CreateForeignTableStmt": "CREATE FOREIGN TABLE",
    "ViewStmt": "CREATE VIEW",
    "CreateTrigStmt": "CREATE TRIGGER",
    "TruncateStmt": "TRUNCATE",
    "LockStmt": "LOCK TABLE",
    "DoStmt": "DO",
    "CopyStmt": "COPY",
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "ReindexStmt": "REINDEX",
    "CreateFunctionStmt": ("CREATE FUNCTION", "CREATE PROCEDURE"),
    "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW",
    "RenameStmt": "ALTER",
    "DropStmt": "DROP",
    "ExplainStmt": "EXPLAIN",
    "CreateSeqStmt": "CREATE SEQUENCE",
    "AlterSeqStmt": "ALTER SEQUENCE",
    "CreateEnumStmt": "CREATE TYPE",
    "CompositeTypeStmt": "CREATE TYPE",
    "AlterEnumStmt": "ALTER TYPE",
    "CreateDomainStmt": "CREATE DOMAIN",
    "AlterDomainStmt": "ALTER DOMAIN",
    "CreateSchemaStmt": "CREATE SCHEMA",
    "CreateExtensionStmt": "CREATE EXTENSION",
    "CommentStmt": "COMMENT",
    "CreatePolicyStmt": "CREATE POLICY",
    "AlterPolicyStmt": "ALTER POLICY",
    "CreateStatsStmt": "CREATE STATISTICS",
    "RuleStmt": "CREATE RULE",
    "ClusterStmt": "CLUSTER",
}


def compare(ours, statement):
    """What differs, as short words with both sides."""
    node = type(statement).__name__
    wanted = KINDS.get(node)
    if wanted and not ours["kind"].startswith(wanted):
        yield "kind", node, ours["kind"]
    if node == "VacuumStmt" and ours["kind"] not in ("VACUUM", "ANALYZE"):
        yield "kind", node, ours["kind"]
    if "actions" in ours and node == "AlterTableStmt":
        theirs = [ACTIONS.get(cmd.subtype, str(cmd.subtype)) for cmd in statement.cmds]
        same = len(theirs) == len(ours["actions"]) and all(
            a in t if isinstance(t, tuple) else a == t for a, t in zip(ours["actions"], theirs)
        )
        if not same:
            yield "actions", theirs, ours["actions"]
        cascades = sum(cmd.behavior == DropBehavior.DROP_CASCADE for cmd in statement.cmds)
        # A cascade on a view's or type's attribute is not told.
        if cascades != ours["cascade"]:
            yield "cascade", cascades, ours["cascade"]
        not_valid = sum(
            bool(cmd.def_.skip_validation)
            for cmd in statement.cmds
            if isinstance(cmd.def_, ast.Constraint) and cmd.subtype == AT.AT_AddConstraint
            and (cmd.def_.contype != ConstrType.CONSTR_FOREIGN or not cmd.def_.initially_valid)
        )
        if not_valid != ours["not_valid"] and not any(
            getattr(cmd.def_, "is_enforced", True) is False for cmd in statement.cmds
        ):
            yield "not valid", not_valid, ours["not_valid"]
    if "concurrently" in ours:
        if node in ("IndexStmt", "DropStmt", "RefreshMatViewStmt"):
            theirs = bool(getattr(statement, "concurrent", False))
            if theirs != ours["concurrently"]:
                yield "concurrently", theirs, ours["concurrently"]
    if "if_exists" in ours:
        theirs = bool(getattr(statement, "missing_ok", False) or getattr(statement, "if_not_exists", False))
        if theirs != ours["if_exists"]:
            yield "if exists", theirs, ours["if_exists"]
    if node in ("DropStmt", "TruncateStmt") and "cascade" in ours:
        theirs = int(statement.behavior == DropBehavior.DROP_CASCADE)
        if theirs != ours["cascade"]:
            yield "cascade", theirs, ours["cascade"]
    if "relations" in ours:
        if node == "DropStmt":
            theirs = {".".join(part.sval for part in name[-2:]) for name in statement.objects}
        else:
            theirs = relations(statement)
        cut = {".".join(part.encode()[:63].decode(errors="ignore") for part in r.split(".")) if len(r) > 63 else r for r in ours["relations"]}
        hidden = ctes(statement)
        if node in ("AlterTableStmt", "CreateTrigStmt", "CreateStmt"):
            theirs = {r for r in theirs if r}
        missing = theirs - cut - hidden
        extra = cut - theirs
        if missing or extra:
            yield "relations", sorted(missing), sorted(extra)


def main():
    program, *folders = sys.argv[1:]
    total = collections.Counter()
    for folder in folders:
        counts = collections.Counter()
        shown = collections.Counter()
        notes = []
        run = subprocess.Popen([program, folder], stdout=subprocess.PIPE)
        for line in run.stdout:
            ours = json.loads(line)
            text = ours["text"]
            if text.startswith("\\"):
                counts["meta-commands"] += 1
                continue
            try:
                parsed = pglast.parse_sql(text)
            except (pglast.parser.ParseError, UnicodeDecodeError) as error:
                counts["rejected"] += 1
                if ours["understood"]:
                    # Variables of psql are no SQL to the server.
                    kind = "placeholder" if re.search(r":['\"a-zA-Z]|\$\{|\{\{", text) else "accepted wrongly"
                    counts[kind] += 1
                    if kind == "accepted wrongly":
                        notes.append((kind, ours, str(error)))
                continue
            if len(parsed) != 1:
                counts["split wrongly"] += 1
                notes.append(("split wrongly", ours, len(parsed)))
                continue
            counts["valid"] += 1
            if not ours["understood"]:
                counts["not understood"] += 1
                notes.append(("not understood", ours, ours["problems"]))
                continue
            different = False
            for what, theirs, mine in compare(ours, parsed[0].stmt):
                different = True
                counts[f"differs: {what}"] += 1
                notes.append((f"differs: {what}", ours, f"PostgreSQL {theirs}, rollsafe {mine}"))
            counts["agree"] += not different
        run.wait()
        total.update(counts)
        print(f"== {folder}")
        report(counts)
        for kind, ours, why in notes:
            shown[kind] += 1
            if shown[kind] <= LISTED:
                snippet = " ".join(ours["text"].split())[:200]
                print(f"  {kind}: {ours['path']}:{ours['start']}: {snippet}\n      {why}")
    print("== all")
    report(total)


def report(counts):
    valid = counts["valid"] or 1
    understood = valid - counts["not understood"]
    print(f"   valid {counts['valid']}, understood {understood} = {100 * understood / valid:.3f} %")
    print("   " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))


main()
