#!/usr/bin/env bash
# Compares reports with the schemas and readers of those who take them. Installs what it needs into a folder of its own.
#
# usage: scripts/validate-formats.sh ROLLSAFE SARIF_SCHEMA [RDJSON_SCHEMA]
#   ROLLSAFE       the program to try
#   SARIF_SCHEMA   sarif-schema-2.1.0.json of oasis-tcs/sarif-spec
#   RDJSON_SCHEMA  DiagnosticResult.json of reviewdog/reviewdog, proto/rdf/jsonschema
set -euo pipefail
rollsafe=$(realpath "$1")
sarif_schema=$(realpath "$2")
rdjson_schema=${3:+$(realpath "$3")}
here=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install check-jsonschema lxml junitparser
check="$work/venv/bin/check-jsonschema"
unset GITHUB_ACTIONS GITLAB_CI
cd "$here"

# GitLab's documented form, in our words.
cat > "$work/gitlab.json" <<'SCHEMA'
{ "type": "array", "items": {
    "type": "object", "required": ["description", "check_name", "fingerprint", "severity", "location"],
    "properties": {
      "description": {"type": "string", "minLength": 1}, "check_name": {"type": "string", "minLength": 1},
      "fingerprint": {"type": "string", "minLength": 1},
      "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
      "location": { "type": "object", "required": ["path", "lines"], "properties": {
          "path": {"type": "string", "pattern": "^[^/.]"},
          "lines": {"type": "object", "required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}} } } } } }
SCHEMA

for input in fixtures/shop/migrations fixtures/shop/migrations/0002_widen_note.up.sql; do
    outputs=()
    for format in json sarif gitlab junit checkstyle rdjson markdown github; do
        outputs+=(--output "$format=$work/$format")
    done
    code=0
    "$rollsafe" lint "${outputs[@]}" "$input" > /dev/null || code=$?
    [ "$code" -le 1 ] || exit "$code"
    "$check" --schemafile "$sarif_schema" "$work/sarif"
    "$check" --schemafile "$work/gitlab.json" "$work/gitlab"
    if [ -n "$rdjson_schema" ]; then
        "$check" --schemafile "$rdjson_schema" "$work/rdjson"
    fi
    "$work/venv/bin/python" - "$work" <<'PYTHON'
import json, re, sys
from junitparser import JUnitXml
from lxml import etree
work = sys.argv[1]
read = lambda name: open(f"{work}/{name}", encoding="utf-8").read()
found = json.loads(read("json"))["findings"]
suites = JUnitXml.fromfile(f"{work}/junit")
failures = sum(suite.failures for suite in suites)
assert failures == sum(one["severity"] == "error" for one in found), "junit counts failures as json counts errors"
checkstyle = etree.fromstring(read("checkstyle").encode())
assert checkstyle.tag == "checkstyle" and len(checkstyle.findall("file/error")) == len(found)
prints = [one["fingerprint"] for one in json.loads(read("gitlab"))]
assert len(prints) == len(set(prints)) == len(found), "fingerprints are unique"
command = re.compile(r"^::(error|warning|notice) ([a-zA-Z]+=[^,:]*)(,[a-zA-Z]+=[^,:]*)*::.+$")
lines = [line for line in read("github").splitlines() if line.startswith("::")]
assert all(command.match(line) for line in lines), lines
assert len(read("markdown")) < 65536
print(f"{len(found)} findings: junit, checkstyle, gitlab, github and markdown agree")
PYTHON
done

"$check" --builtin-schema vendor.github-actions action.yml
sed '1,/^---$/d' templates/lint.yml | sed 's/\$\[\[ inputs.paths \]\]/["**\/*.sql"]/; s/\$\[\[[^]]*\]\]/x/g' > "$work/lint.yml"
"$check" --builtin-schema vendor.gitlab-ci "$work/lint.yml"

# What init writes is accepted by those who read it.
for ci in github gitlab; do
    mkdir -p "$work/repository-$ci/db/migrations"
    cp fixtures/shop/migrations/*.sql "$work/repository-$ci/db/migrations"
    (cd "$work/repository-$ci" && git init -q && "$rollsafe" init --yes --ci "$ci" > /dev/null)
done
"$check" --builtin-schema vendor.github-workflows "$work/repository-github/.github/workflows/rollsafe.yml"
"$check" --builtin-schema vendor.gitlab-ci "$work/repository-gitlab/.gitlab-ci.yml"
echo "all formats are accepted"
