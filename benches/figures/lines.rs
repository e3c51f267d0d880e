//! Times over sizes, both on logarithmic axes.

use super::{
    support::report::short,
    svg::{Caption, Svg, WIDTH, grouped},
};

/// Height of a factor of ten, and the ends of the axes.
const DECADE: f64 = 46.0;
const LEFT: f64 = 62.0;
const END: f64 = WIDTH - 270.0;

/// Distance from the axis to the smallest size.
const INSET: f64 = 36.0;

/// Minimum vertical distance of two labels.
const APART: f64 = 18.0;

pub(crate) struct Lines {
    pub(crate) caption: Caption,
    /// The unit of the sizes.
    pub(crate) of: &'static str,
    pub(crate) sizes: Vec<u32>,
    pub(crate) series: Vec<Series>,
}

pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    pub(crate) bold: bool,
    /// The times in microseconds, one per size.
    pub(crate) times: Vec<f64>,
}

impl Lines {
    pub(crate) fn draw(self) -> String {
        let axes = Axes::of(&self);
        let Self { caption, of, sizes, series } = self;
        let mut svg = Svg::new(caption);
        axes.draw(&mut svg, &sizes, of);
        for one in &series {
            let points = sizes.iter().zip(&one.times).map(|(size, time)| axes.at(*size, *time));
            one.draw(&mut svg, &points.collect::<Vec<_>>());
            let said = sizes
                .iter()
                .zip(&one.times)
                .map(|(size, time)| format!("{} at {}", said(*time), grouped(size)));
            svg.say(format_args!("{}: {}", one.name, said.collect::<Vec<_>>().join(", ")));
        }
        for (at, size) in sizes.iter().enumerate() {
            let mut column: Vec<_> =
                series.iter().map(|one| (axes.y(one.times[at]), one.times[at], one)).collect();
            column.sort_by(|one, other| one.0.total_cmp(&other.0));
            let heights: Vec<_> = column.iter().map(|(y, ..)| *y).collect();
            if at + 1 < sizes.len() {
                for (label, (_, time, _)) in beside(&heights).into_iter().zip(&column) {
                    let (dx, y, anchor) = label;
                    let attributes = format!(r#"font-size="12" text-anchor="{anchor}""#);
                    svg.text(axes.x(*size) + dx, y, &attributes, said(*time));
                }
                continue;
            }
            for (y, (_, time, one)) in spread(&heights).into_iter().zip(&column) {
                let weight = if one.bold { r#"font-weight="600""# } else { "" };
                let label = format!("{}: {}", one.name, said(*time));
                svg.text(END + 12.0, y + 5.0, weight, label);
            }
        }
        svg.finish(axes.bottom + 24.0)
    }
}

/// Scales of the axes.
struct Axes {
    /// Powers of ten, of times and of sizes.
    lowest: f64,
    highest: f64,
    first: f64,
    last: f64,
    bottom: f64,
}

impl Axes {
    fn of(lines: &Lines) -> Self {
        let times = || lines.series.iter().flat_map(|one| &one.times).map(|time| time.log10());
        let sizes = || lines.sizes.iter().map(|size| f64::from(*size).log10());
        let lowest = times().fold(f64::INFINITY, f64::min).floor();
        let highest = times().fold(f64::NEG_INFINITY, f64::max).ceil();
        Self {
            lowest,
            highest,
            first: sizes().fold(f64::INFINITY, f64::min),
            last: sizes().fold(f64::NEG_INFINITY, f64::max),
            bottom: Svg::TOP + 14.0 + (highest - lowest) * DECADE,
        }
    }

    fn x(&self, size: u32) -> f64 {
        let part = (f64::from(size).log10() - self.first) / (self.last - self.first);
        LEFT + INSET + part * (END - LEFT - INSET)
    }

    fn y(&self, time: f64) -> f64 {
        self.bottom - (time.log10() - self.lowest) * DECADE
    }

    fn at(&self, size: u32, time: f64) -> (f64, f64) {
        (self.x(size), self.y(time))
    }

    fn draw(&self, svg: &mut Svg, sizes: &[u32], of: &str) {
        let small = r#"font-size="11" fill-opacity=".7""#;
        let mut decade = self.lowest;
        while decade <= self.highest {
            let time = 10_f64.powf(decade);
            let y = self.y(time);
            let opacity = if decade > self.lowest { ".15" } else { ".7" };
            let attributes = format!(r#"stroke="currentColor" stroke-opacity="{opacity}""#);
            svg.path(&attributes, &format!("M{LEFT} {y:.1}H{END}"));
            let (time, unit) = in_unit(time);
            let attributes = format!(r#"{small} text-anchor="end""#);
            svg.text(LEFT - 6.0, y + 4.0, &attributes, format_args!("{time:.0} {unit}"));
            decade += 1.0;
        }
        for size in sizes {
            let attributes = format!(r#"{small} text-anchor="middle""#);
            svg.text(self.x(*size), self.bottom + 15.0, &attributes, grouped(size));
        }
        svg.text(END + 34.0, self.bottom + 15.0, small, of);
    }
}

impl Series {
    fn draw(&self, svg: &mut Svg, points: &[(f64, f64)]) {
        let colour = self.colour;
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
        let attributes = format!(r#"fill="none" stroke="{colour}" stroke-width="2.5""#);
        svg.path(&attributes, &format!("M{}", points.join("L")));
        // Dots are the ends of lines.
        let attributes = format!(r#"stroke="{colour}" stroke-width="9" stroke-linecap="round""#);
        svg.path(&attributes, &format!("M{}h.1", points.join("h.1M")));
    }
}

/// Returns the positions of labels beside points of these ascending heights: on the side with more
/// room; because the lines rise, above to the left and below to the right.
fn beside(heights: &[f64]) -> Vec<(f64, f64, &'static str)> {
    let label = |(at, y): (usize, &f64)| {
        let above = at.checked_sub(1).map_or(f64::INFINITY, |at| y - heights[at]);
        let below = heights.get(at + 1).map_or(f64::INFINITY, |next| next - y);
        if above >= below { (10.0, y - 9.0, "end") } else { (-10.0, y + 20.0, "start") }
    };
    heights.iter().enumerate().map(label).collect()
}

/// Returns heights that are far enough apart, and as near as possible to these ascending ones.
pub(crate) fn spread(heights: &[f64]) -> Vec<f64> {
    let mut spread = heights.to_vec();
    for at in 1..spread.len() {
        let missing = APART - (spread[at] - spread[at - 1]);
        if missing > 0.0 {
            spread[at] += missing / 2.0;
            spread[at - 1] -= missing / 2.0;
        }
    }
    for at in 1..spread.len() {
        spread[at] = spread[at].max(spread[at - 1] + APART);
    }
    spread
}

fn in_unit(micros: f64) -> (f64, &'static str) {
    match micros {
        _ if micros < 0.999 => (micros * 1e3, "ns"),
        _ if micros < 999.5 => (micros, "µs"),
        _ => (micros / 1e3, "ms"),
    }
}

fn said(micros: f64) -> String {
    let (time, unit) = in_unit(micros);
    format!("{} {unit}", short(time))
}
