//! ARCHITECTURE.md's first invariant: imports run one way.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The modules from the lowest to the highest: a module may use those before it.
const ORDER: &[&str] = &[
    "clock",
    "coop",
    "origin",
    "telemetry",
    "measure",
    "logs",
    "resource_version",
    "printed",
    "rfc1123",
    "namespaced_name",
    "object_key",
    "error",
    "text",
    "json",
    "tape",
    "path",
    "filter",
    "decode",
    "document",
    "stages",
    "event",
    "source",
    "leader",
    "index",
    "snapshot",
    "change",
    "store",
    "fetching",
    "adapters",
    "worlds",
    "ext",
    "one",
    "docs",
    "testing",
    "fuzzing",
];

/// Returns all files of a folder and of the folders in it.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Returns the modules that a file names with `crate::`, outside of comments and tests.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut modules = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let word = |text: &str| -> String {
            text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let Some(group) = rest.strip_prefix('{') else {
            modules.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start = true,
                c if start && c.is_alphabetic() => {
                    modules.insert(word(&group[at..]));
                    start = false;
                }
                _ => {}
            }
        }
    }
    modules
}

#[test]
fn imports_run_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rank = |module: &str| ORDER.iter().position(|own| *own == module);
    let mut checked = 0;
    for path in sources(&src) {
        let relative = path.strip_prefix(&src).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        if module == "lib" {
            continue;
        }
        let own = rank(&module).unwrap_or_else(|| panic!("{module} is not in ORDER"));
        for used in used(&fs::read_to_string(&path).unwrap()) {
            let other = rank(&used);
            assert!(
                other.is_some_and(|other| other <= own),
                "{} uses crate::{used}, which comes after {module}, or is no module",
                relative.display(),
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} imports were found");
    // Imports after a module of tests, and groups of several modules, are found.
    assert!(used(&fs::read_to_string(src.join("path/mod.rs")).unwrap()).contains("tape"));
}

#[test]
fn the_code_map_has_a_row_for_each_file_and_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let map = text.split("\n## ").find(|part| part.starts_with("Code map")).unwrap();
    // The second cell from the end.
    let rows = map.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit(" | ").nth(1));
    let named: BTreeSet<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let there = fs::read_dir(root.join("src")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() { format!("{name}/") } else { name.into_owned() }
    });
    let there: BTreeSet<String> = there.collect();
    assert_eq!(named, there.iter().map(String::as_str).collect());
}

#[test]
fn public_types_go_where_users_need_them() {
    type Object = k8s_openapi::api::core::v1::ConfigMap;
    type Indexed = kube_weir::adapters::Indexed<kube_weir::Watch<Object>, Object>;
    type Kinds = (kube_weir::Snapshot<Object>, kube_weir::Snapshot<kube_weir::Document>);
    fn everywhere<T: Send + Sync + Unpin>() {}
    fn sent<T: Send + Unpin>() {}
    everywhere::<kube_weir::Error>();
    everywhere::<kube_weir::Snapshot<Object>>();
    everywhere::<kube_weir::Store<Object>>();
    everywhere::<kube_weir::Batch<Object>>();
    everywhere::<kube_weir::Change<Object>>();
    everywhere::<kube_weir::Overlay<Object>>();
    everywhere::<kube_weir::World<Kinds>>();
    everywhere::<kube_weir::WorldStore<Kinds>>();
    everywhere::<kube_weir::WorldBatch<Kinds>>();
    everywhere::<kube_weir::WorldChange<kube_weir::worlds::ByName>>();
    everywhere::<kube_weir::WorldOverlay<Kinds>>();
    everywhere::<kube_weir::worlds::KindsHandle>();
    everywhere::<kube_weir::Document>();
    everywhere::<kube_weir::FieldPath>();
    everywhere::<kube_weir::Index<Object>>();
    everywhere::<kube_weir::adapters::DebounceHandle>();
    everywhere::<kube_weir::Election>();
    everywhere::<kube_weir::Leadership>();
    everywhere::<kube_weir::LeadershipWatch>();
    everywhere::<kube_weir::Term>();
    everywhere::<kube_weir::One<Object>>();
    everywhere::<kube_weir::CurrentOne<Object>>();
    everywhere::<kube_weir::Fetching<Object>>();
    everywhere::<kube_weir::FetchConfig>();
    #[cfg(unix)]
    {
        everywhere::<kube_weir::testing::cluster::Cluster>();
        everywhere::<kube_weir::testing::cluster::User>();
        everywhere::<kube_weir::testing::cluster::Error>();
        everywhere::<kube_weir::testing::cluster::Backup>();
    }
    sent::<kube_weir::Campaign>();
    sent::<kube_weir::Watch<Object>>();
    sent::<kube_weir::Changes<Object>>();
    sent::<kube_weir::WatchOne<Object>>();
    sent::<Indexed>();
    sent::<kube_weir::Kinds>();
    sent::<kube_weir::worlds::Worlds<Kinds>>();
    sent::<kube_weir::adapters::Debounced<kube_weir::worlds::Worlds<Kinds>, kube_weir::World<Kinds>>>(
    );
    sent::<kube_weir::adapters::Debounced<Indexed, Object>>();
    sent::<kube_weir::adapters::WhileLeading<Indexed, Object>>();
    everywhere::<kube_weir::adapters::IntoEvents<futures::stream::Empty<Object>, Object>>();
}
