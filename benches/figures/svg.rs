//! SVG files for light and dark themes, both as an image and inside a page.
//!
//! Text and lines have the color of the surrounding text. If the picture is a separate document, as an image
//! in a README, there is no such color: only then `svg:root` selects the picture, and a style sets the color
//! that the reader prefers. The other colors have enough contrast with white and with the dark backgrounds of
//! rustdoc.
//!
//! The drawing uses only attributes, because the styles of a picture would apply to the whole page.
//! Markdown treats the picture as HTML because its first line is a tag, up to the first blank line.

use std::fmt::{Display, Write};

/// Colors of our clients, of kube-rs, of client-go.
pub(crate) const OURS: &str = "#2b8fd0";
pub(crate) const KUBE: &str = "#c07a16";
pub(crate) const GO: &str = "#8f84d8";
/// Color of other clients.
pub(crate) const OTHER: &str = "#848d97";

pub(crate) const WIDTH: f64 = 760.0;

const FONTS: &str = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif";

/// Texts around a drawing.
pub(crate) struct Caption {
    /// The name of the figure and of its file.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The measured quantity, in one line.
    pub(crate) what: String,
    /// The machines, dates and commands of the runs.
    pub(crate) sources: Vec<String>,
}

/// A drawing below its caption.
pub(crate) struct Svg {
    caption: Caption,
    body: String,
    /// The figures in words, for screen readers.
    words: String,
}

impl Svg {
    /// Returns a drawing with its title; the rest is drawn below [`Svg::TOP`].
    pub(crate) fn new(caption: Caption) -> Self {
        let mut svg = Self { caption, body: String::new(), words: String::new() };
        svg.text(0.0, 18.0, r#"font-size="17" font-weight="600""#, svg.caption.title);
        let what = svg.caption.what.clone();
        svg.text(0.0, 39.0, r#"fill-opacity=".85""#, &what);
        svg
    }

    pub(crate) const TOP: f64 = 50.0;

    pub(crate) fn text(&mut self, x: f64, y: f64, attributes: &str, text: impl Display) {
        let text = escaped(&text.to_string());
        self.line(format_args!(r#"<text x="{x:.1}" y="{y:.1}" {attributes}>{text}</text>"#));
    }

    /// Draws a path: lines, bars or dots.
    pub(crate) fn path(&mut self, attributes: &str, path: &str) {
        self.line(format_args!(r#"<path {attributes} d="{path}"/>"#));
    }

    pub(crate) fn say(&mut self, words: impl Display) {
        write!(self.words, " {words}.").expect("a string");
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{line}").expect("a string");
    }

    /// Returns the file of a drawing that ends at this height.
    pub(crate) fn finish(mut self, end: f64) -> String {
        let mut height = end;
        for source in self.caption.sources.clone() {
            height += 16.0;
            self.text(0.0, height, r#"font-size="11" fill-opacity=".7""#, source);
        }
        height += 6.0;
        let Self { caption: Caption { name, title, what, .. }, body, words } = self;
        let (title, what, words) = (escaped(title), escaped(&what), escaped(&words));
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 -8 {width} {height}" width="{width}" height="{height}" style="max-width:100%;height:auto" role="img" aria-labelledby="weir-{name}-title weir-{name}-desc" fill="currentColor" font-family="{FONTS}" font-size="14">
<title id="weir-{name}-title">{title}</title>
<desc id="weir-{name}-desc">{what}.{words}</desc>
<style>svg:root{{color:#1f2328;background:#fff}}@media (prefers-color-scheme:dark){{svg:root{{color:#e6edf3;background:#0d1117}}}}</style>
{body}</svg>
"#,
            width = WIDTH + 16.0,
            height = height + 16.0,
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Groups digits: 1,000,000 for 1000000; 2.5 is unchanged.
pub(crate) fn grouped(number: impl Display) -> String {
    let mut text = number.to_string();
    let end = text.find('.').unwrap_or(text.len());
    for at in (1..end).rev().filter(|at| (end - at).is_multiple_of(3)) {
        text.insert(at, ',');
    }
    text
}
