//! Which tool runs a migrations folder: from its own configuration, from markers inside the files, from names that
//! only one tool uses, from the nearest manifest, in this order.

use std::path::Path;

use super::runner::{Order, Runner, nearest};
use super::runners::{self, RUNNERS};

/// How many files are looked into for markers.
const SAMPLE: usize = 12;

/// A migrations folder as detection sees it.
pub struct Folder<'a> {
    /// The folder.
    pub root: &'a Path,
    /// The repository's root (or the folder itself): nothing above it counts.
    pub top: &'a Path,
    /// Paths of its SQL files relative to `root`, with `/`.
    pub files: &'a [String],
}

/// The tool, and what gave it away.
#[derive(Clone, Copy)]
pub struct Detected {
    /// The tool.
    pub runner: &'static Runner,
    /// "atlas.sum", "markers in the files" …
    pub because: &'static str,
    /// The tool names itself: its configuration, its markers, or names that are its alone.
    pub certain: bool,
}

/// The tool of a folder; `None`: nothing in the tree says.
pub fn detect(folder: &Folder<'_>) -> Option<Detected> {
    // Each looks at more than the one before it, and is asked only where that one tells nothing.
    let by = [by_configuration, by_content, by_unique_names, by_manifest, by_usual_names];
    let detected = by.into_iter().flat_map(|by| by(folder));
    // Signs of a tool whose names don't fit any file are signs of another folder.
    let mut detected = detected.filter(|found| fits(found.runner, folder));
    let Some(first) = detected.next() else { return by_distant_manifest(folder) };
    // `atlas.sum` lies beside migrations that Atlas only writes: who runs them is told by names and markers.
    if first.runner.name == "atlas"
        && let Some(other) = detected.find(|found| found.runner.name != "atlas")
    {
        return Some(other);
    }
    Some(refine(first, folder))
}

/// Whether the tool would run any file of the folder.
fn fits(runner: &Runner, folder: &Folder<'_>) -> bool {
    let named = || folder.files.iter().any(|file| (runner.named)(file).is_some());
    match runner.order {
        // A list that names none of the files is left over from something else.
        Order::Listed(list) => {
            list(folder.root)
                .is_none_or(|listed| listed.iter().any(|file| folder.files.iter().any(|one| one == file)))
                && named()
        }
        _ => named(),
    }
}

fn by_configuration(folder: &Folder<'_>) -> Vec<Detected> {
    let shown = folder.root.to_string_lossy().replace('\\', "/");
    let mut found = Vec::new();
    for runner in RUNNERS.iter().copied() {
        let because = runner
            .signs
            .inside
            .iter()
            .find(|name| folder.root.join(name).is_file())
            .or_else(|| runner.signs.beside.iter().find(|name| lies_beside(folder, name)))
            .or_else(|| {
                runner.signs.above.iter().find(|name| nearest(folder.root, folder.top, name).is_some())
            })
            .or_else(|| {
                runner.signs.folder.iter().find(|end| shown == **end || shown.ends_with(&format!("/{end}")))
            });
        found.extend(because.map(|because| Detected { runner, because, certain: true }));
    }
    // What lies in the folder itself says more than what lies above it.
    found.sort_by_key(|one| !folder.root.join(one.because).is_file());
    found
}

/// Whether a file of that name lies beside one of the first migrations.
fn lies_beside(folder: &Folder<'_>, name: &str) -> bool {
    folder.files.iter().take(SAMPLE).any(|file| folder.root.join(file).with_file_name(name).is_file())
}

fn by_content(folder: &Folder<'_>) -> Vec<Detected> {
    let mut found: Vec<Detected> = Vec::new();
    for file in folder.files.iter().rev().take(SAMPLE) {
        let Ok(bytes) = std::fs::read(folder.root.join(file)) else { continue };
        for runner in marked(&String::from_utf8_lossy(&bytes)) {
            if !found.iter().any(|one| std::ptr::eq(one.runner, runner)) {
                found.push(Detected { runner, because: "markers in the files", certain: true });
            }
        }
    }
    found
}

/// The tools whose markers a text holds, in the order of the markers.
fn marked(text: &str) -> Vec<&'static Runner> {
    let mut found: Vec<&'static Runner> = Vec::new();
    for line in text.lines() {
        if !line.starts_with(['-', '#']) && !line.contains("--> statement-breakpoint") {
            continue;
        }
        for runner in RUNNERS.iter().copied() {
            let is_marked = runner.signs.content.iter().any(|mark| {
                line.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
                    || (mark.starts_with("-->") && line.contains(mark))
            });
            if is_marked && !found.iter().any(|one| std::ptr::eq(*one, runner)) {
                found.push(runner);
            }
        }
    }
    found
}

/// The tool of a text that is no file, by the markers in it.
pub fn by_text(text: &str) -> Option<Detected> {
    let found = marked(text);
    // As in `detect`: who runs what Atlas has written is told by the others.
    let runner = found.iter().find(|runner| runner.name != "atlas").or(found.first()).copied()?;
    Some(Detected { runner, because: "markers in the text", certain: true })
}

fn by_unique_names(folder: &Folder<'_>) -> Vec<Detected> {
    RUNNERS
        .iter()
        .copied()
        .filter(|runner| {
            runner.signs.unique.is_some_and(|unique| folder.files.iter().any(|file| unique(file)))
        })
        .map(|runner| Detected { runner, because: "the names of the files", certain: true })
        .collect()
}

/// Among the manifests above, the nearest that names a tool whose names fit decides.
fn by_manifest(folder: &Folder<'_>) -> Vec<Detected> {
    let mut found = Vec::new();
    for above in folder.root.ancestors() {
        for runner in RUNNERS.iter().copied() {
            // Versioned names of Flyway's kind beat a manifest that merely mentions another tool.
            for (manifest, text) in runner.signs.manifest {
                let Ok(written) = std::fs::read_to_string(above.join(manifest)) else { continue };
                let named = written.lines().any(|line| depends(manifest, line, text));
                if named && folder.files.iter().any(|file| (runner.named)(file).is_some()) {
                    found.push(Detected { runner, because: manifest, certain: false });
                }
            }
        }
        if above == folder.top || !found.is_empty() {
            break;
        }
    }
    found
}

/// Where no manifest above names a tool: those in the repository's first two levels, if they agree. Monorepos keep
/// code and migrations side by side.
fn by_distant_manifest(folder: &Folder<'_>) -> Option<Detected> {
    let below = |path: &Path| -> Vec<std::path::PathBuf> {
        let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
        let mut found: Vec<_> = entries
            .flatten()
            .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
            .filter(|entry| entry.file_name() != "node_modules")
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        found.sort();
        found
    };
    // Only names that say both ways, or versions of Flyway's kind, are looked for so far away.
    let telling = |file: &String| file.contains(".up.") || file.ends_with("up.sql") || file.contains("__");
    if !folder.files.iter().any(telling) {
        return None;
    }
    let first = below(folder.top);
    let second: Vec<_> = first.iter().flat_map(|path| below(path)).collect();
    let mut found: Option<Detected> = None;
    for place in first.iter().chain(&second) {
        for runner in RUNNERS.iter().copied().filter(|runner| fits(runner, folder)) {
            for (manifest, text) in runner.signs.manifest {
                let Ok(written) = std::fs::read_to_string(place.join(manifest)) else { continue };
                if !written.lines().any(|line| depends(manifest, line, text)) {
                    continue;
                }
                if found.is_some_and(|one| !std::ptr::eq(one.runner, runner)) {
                    return None; // they don't agree
                }
                found = Some(Detected {
                    runner,
                    because: "a manifest elsewhere in the repository",
                    certain: false,
                });
            }
        }
    }
    found
}

/// Whether a line of a manifest names a dependency.
fn depends(manifest: &str, line: &str, text: &str) -> bool {
    let line = line.trim();
    match manifest {
        // `sqlx = …`, `sqlx.workspace = true`, `[dependencies.sqlx]`, not `sqlx-core`.
        "Cargo.toml" => {
            let key = line.split(['=', '.']).next().unwrap_or("").trim().trim_matches('"');
            key == text || line.starts_with('[') && line.trim_end_matches(']').ends_with(&format!(".{text}"))
        }
        // Direct dependencies only.
        "go.mod" => line.contains(text) && !line.contains("// indirect"),
        _ => line.contains(text),
    }
}

fn by_usual_names(folder: &Folder<'_>) -> Vec<Detected> {
    RUNNERS
        .iter()
        .copied()
        .filter(|runner| runner.signs.usual.is_some_and(|usual| folder.files.iter().any(|file| usual(file))))
        .map(|runner| Detected { runner, because: "the names of the files", certain: false })
        .collect()
}

/// Tools that changed how they run: the version decides.
fn refine(found: Detected, folder: &Folder<'_>) -> Detected {
    if found.runner.name != "prisma" {
        return found;
    }
    let (name, because) = match prisma_splits(folder) {
        Some((false, _)) => return found,
        Some((true, because)) => ("prisma-7.4", because),
        None => ("prisma-any", found.because),
    };
    runners::runner(name).map_or(found, |runner| Detected { runner, because, ..found })
}

/// Whether Prisma is of a version that sends statements one by one, and what tells; `None`: nothing does.
fn prisma_splits(folder: &Folder<'_>) -> Option<(bool, &'static str)> {
    let above = || folder.root.ancestors().take_while(|above| above.starts_with(folder.top));
    let read = |folder: &Path, name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let wanted = above().find_map(|above| {
        let manifest: serde_json::Value = serde_json::from_str(&read(above, "package.json")?).ok()?;
        ["devDependencies", "dependencies"]
            .iter()
            .find_map(|list| manifest.get(list)?.get("prisma")?.as_str().map(str::to_owned))
    })?;
    // What is installed says more than what is asked for.
    let installed = above().find_map(|above| {
        ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"]
            .into_iter()
            .find_map(|name| Some((splits_from(&locked(&read(above, name)?)?)?, name)))
    });
    installed.or_else(|| Some((range_splits(&wanted)?, "package.json")))
}

/// The version of `prisma` that a lock file holds. Lock files of four tools, of which a few lines are wanted.
fn locked(text: &str) -> Option<String> {
    let version = |after: &str| {
        let start = after.find(|c: char| c.is_ascii_digit())?;
        let rest = after.get(start..)?;
        Some(rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())].to_owned())
    };
    let behind = |mark: &str| text.split_once(mark).map(|(_, after)| after);
    // package-lock.json: `"node_modules/prisma": {\n "version": "7.8.0"`, and before npm 7 `"prisma": {\n "version": …`.
    let npm = || {
        let after = behind("\"node_modules/prisma\": {").or_else(|| behind("\"prisma\": {"))?;
        version(after.split_once("\"version\":")?.1)
    };
    // pnpm-lock.yaml: `prisma@7.8.0(…):`, in older ones `/prisma@7.8.0` or `/prisma/7.8.0`.
    let pnpm = || {
        text.lines().map(|line| line.trim().trim_matches(['\'', '/'])).find_map(|line| {
            let after = line.strip_prefix("prisma@").or_else(|| line.strip_prefix("prisma/"))?;
            after.starts_with(|c: char| c.is_ascii_digit()).then(|| version(after))?
        })
    };
    // yarn.lock: `prisma@^7.0.0:` or `"prisma@npm:^7.0.0":`, then `version "7.8.0"` or `version: 7.8.0`.
    let yarn = || {
        let mut lines = text.lines().skip_while(|line| !line.trim_start_matches('"').starts_with("prisma@"));
        lines.next()?;
        version(lines.next()?.trim().strip_prefix("version")?)
    };
    // bun.lock: `"prisma": ["prisma@7.8.0", …`.
    let bun = || version(behind("\"prisma\": [\"prisma@")?);
    bun().or_else(npm).or_else(yarn).or_else(pnpm)
}

/// Whether a version is one that sends statements one by one.
fn splits_from(version: &str) -> Option<bool> {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    let major = numbers.next()?;
    Some(major > 7 || major == 7 && numbers.next()? >= 4)
}

/// The same of a range, where all versions in it are alike.
fn range_splits(range: &str) -> Option<bool> {
    let range = range.trim();
    let bare = range.trim_start_matches(['^', '~', '=', 'v', ' ']);
    let numbers: Vec<u32> = bare.split('.').map_while(|part| part.parse().ok()).collect();
    // Nothing but a version, with or without a sign that keeps its first number.
    if numbers.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let keeps_second = !range.starts_with('^') && numbers.len() > 1;
    match (numbers.as_slice(), keeps_second) {
        ([7, minor, ..], _) if *minor >= 4 => Some(true),
        ([7, ..], true) => Some(false),
        ([7, ..], false) => None,
        ([major, ..], _) => Some(*major > 7),
        ([], _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_files_tell_the_version() {
        let of = |text: &str| locked(text).unwrap_or_default();
        assert_eq!(
            of(
                "{\"packages\": {\"\": {\"devDependencies\": {\"prisma\": \"^7.0.0\"}},\n\"node_modules/prisma\": {\n \"version\": \"7.8.0\",\n"
            ),
            "7.8.0"
        );
        assert_eq!(
            of(
                "importers:\n  .:\n    devDependencies:\n      prisma:\n        specifier: ^7.0.0\npackages:\n\n  prisma@7.3.0:\n    resolution: {}\n"
            ),
            "7.3.0"
        );
        assert_eq!(of("prisma@^7.0.0:\n  version \"7.4.1\"\n"), "7.4.1");
        assert_eq!(of("\"prisma@npm:^7.0.0\":\n  version: 7.4.1\n"), "7.4.1");
        assert_eq!(of("    \"prisma\": [\"prisma@7.5.0\", \"\", { }],\n"), "7.5.0");
        assert_eq!(of("prisma-client@^7.0.0:\n  version \"7.4.1\"\n"), "");
    }

    #[test]
    fn a_range_tells_only_where_all_of_it_is_alike() {
        for (range, splits) in [
            ("^6.19.0", Some(false)),
            ("7.3.0", Some(false)),
            ("~7.3.1", Some(false)),
            ("^7.8.0", Some(true)),
            ("8", Some(true)),
            ("^7.0.0", None),
            ("7", None),
            ("7.x", None),
            (">=6", None),
            ("latest", None),
            ("*", None),
            ("catalog:", None),
            ("workspace:*", None),
        ] {
            assert_eq!(range_splits(range), splits, "{range}");
        }
    }
}
