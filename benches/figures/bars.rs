//! Horizontal bars, one per row, in panels of one scale.

use super::{
    support::report::short,
    svg::{Caption, Svg, WIDTH, grouped},
};

const ROW: f64 = 26.0;
const BAR: f64 = 16.0;

/// Widths of the names, of the gap between two panels, and of the number beside a bar.
const NAMES: f64 = 150.0;
const GAP: f64 = 28.0;
const NUMBER: f64 = 52.0;

pub(crate) struct Bars {
    pub(crate) caption: Caption,
    /// Unit of the numbers and the axis.
    pub(crate) unit: &'static str,
    pub(crate) panels: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    /// True for the row with which the others are compared.
    pub(crate) bold: bool,
    /// The values, one per panel.
    pub(crate) values: Vec<f64>,
}

impl Bars {
    pub(crate) fn draw(self) -> String {
        let Self { caption, unit, panels, rows } = self;
        let mut svg = Svg::new(caption);
        let count = f64::from(u32::try_from(panels.len()).expect("few"));
        let width = (WIDTH - NAMES + GAP) / count - GAP;
        let highest = rows.iter().flat_map(|row| &row.values).copied().fold(0.0, f64::max);
        let scale = (width - NUMBER) / highest;
        let top = Svg::TOP + 28.0;
        let height = ROW * f64::from(u32::try_from(rows.len()).expect("few"));
        let left = |panel: u32| NAMES + f64::from(panel) * (width + GAP);

        for (panel, name) in (0..).zip(&panels) {
            let left = left(panel);
            svg.text(left, top - 9.0, r#"font-weight="600""#, name);
            for tick in ticks(highest) {
                let x = left + tick * scale;
                let stroke = if tick > 0.0 { ".15" } else { ".7" };
                let attributes = format!(r#"stroke="currentColor" stroke-opacity="{stroke}""#);
                svg.path(&attributes, &format!("M{x:.1} {top}v{height}"));
                let attributes = r#"font-size="11" fill-opacity=".7" text-anchor="middle""#;
                svg.text(x, top + height + 14.0, attributes, grouped(tick));
            }
            svg.text(left, top + height + 29.0, r#"font-size="11" fill-opacity=".7""#, unit);
        }
        for (number, row) in (0..).zip(&rows) {
            let y = top + f64::from(number) * ROW + (ROW - BAR) / 2.0;
            let weight = if row.bold { r#"font-weight="600""# } else { "" };
            svg.text(0.0, y + 13.0, weight, row.name);
            for (panel, value) in (0..).zip(&row.values) {
                let (x, length) = (left(panel), value * scale);
                let attributes = format!(r#"fill="{}""#, row.colour);
                svg.path(&attributes, &format!("M{x:.1} {y}h{length:.1}v{BAR}h-{length:.1}z"));
                svg.text(x + length + 6.0, y + 13.0, weight, grouped(short(*value)));
            }
        }
        for (panel, name) in panels.iter().enumerate() {
            let row = |row: &Row| format!("{}: {}", row.name, grouped(short(row.values[panel])));
            svg.say(format_args!(
                "{name}, in {unit}: {}",
                rows.iter().map(row).collect::<Vec<_>>().join("; ")
            ));
        }
        svg.finish(top + height + 36.0)
    }
}

/// Returns zero and up to four round numbers, 1, 2 or 5 times a power of ten apart.
fn ticks(highest: f64) -> impl Iterator<Item = f64> {
    let power = 10_f64.powf((highest / 4.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    let step = steps.into_iter().find(|step| highest / step <= 4.0).expect("one in ten");
    (0..5).map(move |n| f64::from(n) * step).take_while(move |tick| *tick <= highest)
}
