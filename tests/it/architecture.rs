//! ARCHITECTURE.md's first invariant: imports run one way.

use std::{
    collections::{BTreeMap, BTreeSet},
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

/// Returns the code of a file without comments and without what only tests have. In an inline module
/// `super` is the file itself, so it becomes `self`.
fn code(text: &str) -> String {
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut code = String::new();
    // The last line of the inline module, and of an item of tests: rustfmt indents it like the first.
    let end = |line: &str| format!("{}}}", &line[..line.len() - line.trim_start().len()]);
    let mut inline: Option<String> = None;
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let item = lines.find(|line| !line.trim_start().starts_with("#[")).unwrap();
            if !item.ends_with([';', ',', '}']) {
                lines.find(|line| line.starts_with(&end(item)));
            }
            continue;
        }
        let is_inline = line.ends_with('{') && line.contains("mod ");
        match &inline {
            None => inline = is_inline.then(|| end(line)),
            Some(end) if line.starts_with(end.as_str()) => inline = None,
            Some(_) => {}
        }
        let line = line.split(" // ").next().unwrap();
        code += &if inline.is_some() { line.replace("super::", "self::") } else { line.to_owned() };
        code.push('\n');
    }
    code
}

/// A path in the code: its names.
type Names = Vec<String>;

/// The paths in a file.
struct File {
    name: String,
    /// The imported paths, and the names that they have in the file.
    imports: Vec<(Names, String)>,
    others: Vec<Names>,
}

impl File {
    fn new(name: &str, text: &str) -> Self {
        let code = code(text);
        let mut file = Self { name: name.to_owned(), imports: Vec::new(), others: Vec::new() };
        let mut lines = code.lines();
        while let Some(line) = lines.next() {
            let start = line.trim_start();
            match start.split_once("use ") {
                Some((before, tree)) if before.is_empty() || before.starts_with("pub") => {
                    let mut tree = tree.to_owned();
                    while !tree.contains(';') {
                        tree += lines.next().unwrap().trim();
                    }
                    file.import("", tree.trim_end_matches(';'));
                }
                _ => {
                    let is_in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                    let paths =
                        line.split(|c: char| !is_in_path(c)).filter(|path| path.contains("::"));
                    file.others.extend(paths.map(names));
                }
            }
        }
        file
    }

    /// Adds the paths of an import, such as `a::{b, c::{d, e as f}}`.
    fn import(&mut self, before: &str, tree: &str) {
        let Some((start, rest)) = tree.split_once('{') else {
            let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
            let path = names(&format!("{before}{}", path.trim()));
            let last = path.last().cloned().unwrap_or_default();
            self.imports.push((path, if alias.is_empty() { last } else { alias.trim().into() }));
            return;
        };
        let start = format!("{before}{}", start.trim());
        let mut depth = 0;
        let own = rest.rsplit_once('}').unwrap().0.split(|c: char| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == ',' && depth == 0
        });
        own.filter(|own| !own.trim().is_empty()).for_each(|own| self.import(&start, own));
    }

    fn paths(&self) -> impl Iterator<Item = &Names> {
        self.imports.iter().map(|(path, _)| path).chain(&self.others)
    }
}

/// Returns the names in a path; `a::{self}` is `a`.
fn names(path: &str) -> Names {
    let path = path.strip_suffix("::self").unwrap_or(path);
    path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The files of the crate, by the paths of their modules, such as `store::writer`.
struct Files(BTreeMap<String, File>);

/// The items that a file takes from another one of its room, by the modules of both.
type Ties = BTreeMap<(String, String), BTreeSet<String>>;

impl Files {
    fn new<'t>(texts: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let module = |name: &str| {
            let name = name.trim_end_matches(".rs").trim_end_matches("/mod");
            name.replace('/', "::")
        };
        let files = texts.into_iter().map(|(name, text)| (module(name), File::new(name, text)));
        Self(files.collect())
    }

    /// Returns a path in a module as seen from the root of the crate, unless it leads to another crate.
    fn rooted(&self, module: &str, path: &[String], by_import: bool) -> Option<Names> {
        let mut base = names(module);
        let keywords =
            path.iter().take_while(|name| matches!(&***name, "crate" | "self" | "super"));
        let count = keywords.count();
        for keyword in &path[..count] {
            match &**keyword {
                "crate" => base.clear(),
                "super" => drop(base.pop()),
                _ => {}
            }
        }
        let (first, rest) = path[count..].split_first()?;
        if count == 0 && !self.0.contains_key(&format!("{module}::{first}")) {
            let imports = self.0[module].imports.iter().filter(|_| by_import);
            let (path, _) = imports.clone().find(|(_, name)| name == first)?;
            return Some([&self.rooted(module, path, false)?, rest].concat());
        }
        Some([&*base, &path[count..]].concat())
    }

    /// Returns the module that defines the item of a path, and the item's name. An item that a module
    /// imports is of the module that it is imported from.
    fn definition(&self, path: &[String]) -> Option<(String, Option<String>)> {
        let modules = (1..=path.len()).map(|count| path[..count].join("::"));
        let module = modules.take_while(|module| self.0.contains_key(module)).last()?;
        let (_, rest) = path.split_at(names(&module).len());
        let Some((item, rest)) = rest.split_first() else { return Some((module, None)) };
        let imports = self.0[&module].imports.iter().filter(|(_, name)| name == item);
        let import = imports
            .filter_map(|(import, _)| self.rooted(&module, import, false))
            .map(|import| [&import, rest].concat())
            .find(|import| import != path);
        match import {
            Some(import) => self.definition(&import),
            None => Some((module, Some(item.clone()))),
        }
    }

    fn ties(&self) -> Ties {
        let mut ties = Ties::new();
        for (module, file) in &self.0 {
            let paths = file.paths().filter_map(|path| self.rooted(module, path, true));
            for (other, item) in paths.filter_map(|path| self.definition(&path)) {
                // The name of a folder alone ties nothing: the paths that begin with it do.
                let is_folder = item.is_none() && self.0[&other].name.ends_with("mod.rs");
                if room(module) == room(&other) && *module != other && !is_folder {
                    let items = ties.entry((module.clone(), other)).or_default();
                    items.insert(item.unwrap_or_else(|| "the module".to_owned()));
                }
            }
        }
        ties
    }

    /// Writes the ties for which a condition holds, one a line.
    fn written(&self, ties: &Ties, condition: impl Fn(&str, &str) -> bool) -> String {
        let written = ties.iter().filter(|((from, to), _)| condition(from, to));
        let written = written.map(|((from, to), items)| {
            let items: Vec<_> = items.iter().map(String::as_str).collect();
            let (from, to) = (&self.0[from].name, &self.0[to].name);
            format!("{from} -> {to}: {}\n", items.join(", "))
        });
        written.collect()
    }

    /// Returns the ties that are part of a circle, without those of tests.
    fn circles(&self) -> String {
        let mut ties = self.ties();
        ties.retain(|tie, _| !is_of_tests(&tie.0));
        self.written(&ties, |from, to| {
            let mut reached = BTreeSet::from([to]);
            loop {
                let next = ties.keys().filter(|(from, _)| reached.contains(&**from));
                let before = reached.len();
                reached.extend(next.map(|(_, to)| &**to).collect::<Vec<_>>());
                if reached.len() == before {
                    return reached.contains(from);
                }
            }
        })
    }
}

/// Returns the folder or file in `src/` that a module lies in.
fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn is_of_tests(module: &str) -> bool {
    module.split("::").skip(1).any(|name| matches!(name, "tests" | "fuzzing"))
}

/// Returns the files of the crate, except its root.
fn files() -> Files {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let texts = sources(&src).into_iter().map(|path| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        (name, fs::read_to_string(&path).unwrap())
    });
    let texts: Vec<_> = texts.filter(|(name, _)| name != "lib.rs").collect();
    Files::new(texts.iter().map(|(name, text)| (&**name, &**text)))
}

#[test]
fn imports_run_one_way() {
    let rank = |module: &str| ORDER.iter().position(|own| *own == module);
    let mut checked = 0;
    // Tests and fuzz targets compare modules, so they may use all of them.
    for (module, file) in files().0.iter().filter(|(module, _)| !is_of_tests(module)) {
        let own = rank(room(module)).unwrap_or_else(|| panic!("{module} is not in ORDER"));
        for path in file.paths().filter(|path| path.first().is_some_and(|first| first == "crate")) {
            assert!(
                rank(&path[1]).is_some_and(|other| other <= own),
                "{} uses {}, which comes after {}, or is no module",
                file.name,
                path.join("::"),
                room(module),
            );
            checked += 1;
        }
    }
    assert!(checked > 500, "only {checked} imports were found");
}

#[test]
fn imports_run_one_way_inside_rooms() {
    let files = files();
    let count = files.ties().len();
    assert!(count > 300, "only {count} ties between files were found");
    let circles = files.circles();
    assert!(circles.is_empty(), "files of a room import each other in a circle:\n{circles}");
    let of_tests = files.written(&files.ties(), |from, to| !is_of_tests(from) && is_of_tests(to));
    assert!(of_tests.is_empty(), "only tests may import tests:\n{of_tests}");
}

#[test]
fn a_planted_circle_is_found() {
    let circles = |texts: &[(&str, &str)]| Files::new(texts.iter().copied()).circles();
    let room = "mod a;\npub use self::{a::A, b::{B, C as D}};\npub(crate) mod b;\n";
    let (a, b) =
        ("use crate::{\n    error::{Error, self},\n    room::D,\n};\n", "    super::a::f();\n");
    let found = "room/a.rs -> room/b.rs: C\nroom/b.rs -> room/a.rs: f\n";
    assert_eq!(circles(&[("room/mod.rs", room), ("room/a.rs", a), ("room/b.rs", b)]), found);
    for b in [
        "//! [`A`](super::a::A)\nstruct C; // super::a\n",
        "#[cfg(test)]\nmod tests {\n    use super::super::a::A;\n}\n",
        "mod sealed {\n    use super::a;\n}\n",
        "use super::D;\n",
    ] {
        assert_eq!(circles(&[("room/mod.rs", room), ("room/a.rs", a), ("room/b.rs", b)]), "");
    }
    // A longer circle, by way of an imported module, and beside a file of tests.
    let texts = [
        ("room/mod.rs", "mod a;\nmod b;\nmod c;\nmod tests;\n"),
        ("room/a.rs", "use super::b;\nfn f() {\n    b::g();\n}\n"),
        ("room/b.rs", "#[cfg(test)]\nuse super::a;\nuse super::c::h;\n"),
        ("room/tests.rs", "use super::a;\n"),
        ("room/c.rs", "fn h() {\n    super::a::f();\n}\n"),
    ];
    assert_eq!(circles(&texts[..4]), "");
    assert_eq!(circles(&texts).lines().count(), 3);
    // An item of `mod.rs`, in a file that `mod.rs` uses.
    let texts = [
        ("room/mod.rs", "mod inner;\nuse self::inner::Inner;\n"),
        ("room/inner/mod.rs", "mod leaf;\npub(super) use self::leaf::Leaf as Inner;\n"),
        ("room/inner/leaf.rs", "use super::super::Outer;\n"),
    ];
    let found =
        "room/mod.rs -> room/inner/leaf.rs: Leaf\nroom/inner/leaf.rs -> room/mod.rs: Outer\n";
    assert_eq!(circles(&texts), found);
}

/// Returns the files and folders in the cells of each row of the code map: the row's own, and those that it
/// describes.
fn code_map() -> Vec<(Vec<String>, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let map = text.split("\n## ").find(|part| part.starts_with("Code map")).unwrap();
    let named = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    // The last two cells.
    let rows = map.lines().filter_map(|line| line.strip_suffix(" |")?.rsplit_once(" | "));
    rows.map(|(row, what)| (named(row), named(what))).collect()
}

#[test]
fn the_code_map_has_a_row_for_each_file_and_folder() {
    let named: BTreeSet<String> = code_map().into_iter().flat_map(|(row, _)| row).collect();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let there = fs::read_dir(src).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() { format!("{name}/") } else { name.into_owned() }
    });
    assert_eq!(named, there.collect());
}

#[test]
fn the_code_map_names_files_in_the_order_of_imports() {
    let files = files();
    let ties = files.ties();
    let mut checked = 0;
    for (row, what) in code_map() {
        let place = |module: &str| {
            let name = module.split("::").nth(1).unwrap_or("mod");
            what.iter().position(|own| own.trim_end_matches(".rs").trim_end_matches('/') == name)
        };
        for (from, to) in ties.keys() {
            if row.contains(&format!("{}/", room(from))) {
                assert!(
                    place(from).zip(place(to)).is_none_or(|(from, to)| to <= from),
                    "{} uses {}, which the code map names later",
                    files.0[from].name,
                    files.0[to].name,
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 200, "only {checked} ties were checked");
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
