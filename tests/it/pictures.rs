//! The pictures in `docs/`: one file each, both for the README as an image and for rustdoc as part of the
//! page.

use std::{collections::BTreeSet, fs, path::Path};

use roxmltree::Document;

const SVG: &str = "http://www.w3.org/2000/svg";

#[test]
fn pictures_are_fit_for_an_image_and_for_a_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let folders = [docs.clone(), docs.join("figures")];
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.map(|file| file.unwrap().path());
    let paths: BTreeSet<_> =
        paths.filter(|path| path.extension() == Some("svg".as_ref())).collect();
    assert!(paths.contains(&docs.join("pipeline.svg")));
    // Several pictures may be in one page.
    let mut ids = BTreeSet::new();
    for path in &paths {
        let text = fs::read_to_string(path).unwrap();
        for id in checked(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
            assert!(ids.insert(id.clone()), "{}: {id} is taken", path.display());
        }
    }
}

/// Returns the ids in a picture, or the violation that it has.
fn checked(text: &str) -> Result<Vec<String>, String> {
    let must = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let root = document.root_element();
    must(root.has_tag_name((SVG, "svg")), "not an SVG")?;

    // Required for Markdown to treat it as HTML.
    let first = text.split_inclusive('>').next();
    must(text.starts_with("<svg ") && first == text.lines().next(), "no tag that is a line")?;
    must(text.lines().all(|line| !line.trim().is_empty()), "a blank line")?;

    // For screen readers.
    let named = |name: &str| root.children().find(|node| node.has_tag_name((SVG, name)));
    let mut labels = Vec::new();
    for name in ["title", "desc"] {
        let node = named(name).ok_or(format!("no {name}"))?;
        must(node.text().is_some_and(|text| !text.trim().is_empty()), "nothing said")?;
        labels.push(node.attribute("id").ok_or(format!("no id of the {name}"))?);
    }
    must(root.attribute("role") == Some("img"), "no image")?;
    must(root.attribute("aria-labelledby") == Some(&labels.join(" ")), "title and desc not named")?;
    // So that the picture shrinks with the page.
    must(root.attribute("viewBox").is_some(), "no viewBox")?;
    must(
        root.attribute("style").is_some_and(|style| style.contains("max-width:100%")),
        "too wide",
    )?;

    let mut ids = Vec::new();
    for node in root.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        must(!["script", "foreignObject", "image", "use", "a"].contains(&name), name)?;
        must(
            name != "style" || only_as_image(node.text().unwrap_or_default()),
            "a style of the page",
        )?;
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            must(!name.starts_with("on") && name != "href" && name != "class", name)?;
            must(!value.replace("url(#", "").contains("url("), value)?;
            if name == "id" {
                must(value.starts_with("weir-"), value)?;
                ids.push(value.to_owned());
            }
        }
    }
    Ok(ids)
}

/// Returns whether all rules are about the root of an SVG document.
fn only_as_image(style: &str) -> bool {
    let rules = style.replace("@media (prefers-color-scheme:dark){", "");
    let mut rules = rules.split('}').map(str::trim).filter(|rule| !rule.is_empty());
    rules.all(|rule| rule.starts_with("svg:root{")) && !style.contains("url(")
}

#[test]
fn defects_of_a_picture_are_found() {
    let fit = r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" style="max-width:100%" role="img" aria-labelledby="weir-t weir-d">
<title id="weir-t">T</title>
<desc id="weir-d">D</desc>
<style>svg:root{color:#000}@media (prefers-color-scheme:dark){svg:root{color:#fff}}</style>
<path d="M0 0"/>
</svg>
"#;
    assert_eq!(checked(fit).unwrap(), ["weir-t", "weir-d"]);
    for (part, wrong) in [
        ("</svg>", ""),
        (" viewBox=", "\nviewBox="),
        (r#" role="img""#, ""),
        ("</desc>", "</desc>\n"),
        (">T<", "><"),
        ("desc", "g"),
        (r#" style="max-width:100%""#, ""),
        ("}}", "}text{fill:red}}"),
        (r#"<path d="M0 0"/>"#, "<script/>"),
        (r#"<path d="M0 0"/>"#, r#"<path onclick="alert()"/>"#),
        (r#"<path d="M0 0"/>"#, r#"<image href="https://example.com"/>"#),
        (r#"<path d="M0 0"/>"#, r#"<path fill="url(https://example.com)"/>"#),
        (r#"<path d="M0 0"/>"#, r#"<path id="a"/>"#),
    ] {
        assert!(fit.contains(part));
        assert!(checked(&fit.replace(part, wrong)).is_err(), "{wrong}");
    }
}
