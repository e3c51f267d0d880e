//! Times over sizes, both on logarithmic axes.

use super::{
    support::report::short,
    svg::{Caption, Svg, WIDTH, grouped},
};

/// How high a factor of ten is, and what is left and right of the lines.
const DECADE: f64 = 46.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 270.0;

/// From the axis to the smallest size.
const INSET: f64 = 36.0;

/// What two labels one above the other need.
const APART: f64 = 18.0;

pub(crate) struct Lines {
    pub(crate) caption: Caption,
    /// What the sizes are of.
    pub(crate) of: &'static str,
    pub(crate) sizes: Vec<u32>,
    pub(crate) series: Vec<Series>,
}

pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    pub(crate) bold: bool,
    /// In microseconds, one for each size.
    pub(crate) times: Vec<f64>,
}

impl Lines {
    pub(crate) fn draw(self) -> String {
        let Self { caption, of, sizes, series } = self;
        let mut svg = Svg::new(caption);
        let times = || series.iter().flat_map(|one| &one.times).map(|time| time.log10());
        let lowest = times().fold(f64::INFINITY, f64::min).floor();
        let highest = times().fold(f64::NEG_INFINITY, f64::max).ceil();
        let (first, last) =
            (f64::from(sizes[0]).log10(), f64::from(*sizes.last().expect("one")).log10());
        let top = Svg::TOP + 14.0;
        let bottom = top + (highest - lowest) * DECADE;
        let end = WIDTH - RIGHT;
        let x = |size: u32| {
            LEFT + INSET + (f64::from(size).log10() - first) / (last - first) * (end - LEFT - INSET)
        };
        let y = |time: f64| bottom - (time.log10() - lowest) * DECADE;

        let small = r#"font-size="11" fill-opacity=".7""#;
        let mut decade = lowest;
        while decade <= highest {
            let time = 10_f64.powf(decade);
            let stroke = if decade > lowest { ".15" } else { ".7" };
            let attributes = format!(r#"stroke="currentColor" stroke-opacity="{stroke}""#);
            svg.path(&attributes, &format!("M{LEFT} {:.1}H{end}", y(time)));
            let (time_in_unit, unit) = in_unit(time);
            let attributes = format!(r#"{small} text-anchor="end""#);
            svg.text(
                LEFT - 6.0,
                y(time) + 4.0,
                &attributes,
                format_args!("{time_in_unit:.0} {unit}"),
            );
            decade += 1.0;
        }
        for size in &sizes {
            let attributes = format!(r#"{small} text-anchor="middle""#);
            svg.text(x(*size), bottom + 15.0, &attributes, grouped(size));
        }
        svg.text(end + 34.0, bottom + 15.0, small, of);

        for one in &series {
            let points: Vec<_> =
                sizes.iter().zip(&one.times).map(|(size, time)| (x(*size), y(*time))).collect();
            let join = |sign: &str| {
                let points = points.iter().map(|(x, y)| format!("{x:.1} {y:.1}"));
                points.collect::<Vec<_>>().join(sign)
            };
            let colour = one.colour;
            let attributes = format!(r#"fill="none" stroke="{colour}" stroke-width="2.5""#);
            svg.path(&attributes, &format!("M{}", join("L")));
            let attributes =
                format!(r#"stroke="{colour}" stroke-width="9" stroke-linecap="round""#);
            svg.path(&attributes, &format!("M{}h.1", join("h.1M")));
            let said = sizes
                .iter()
                .zip(&one.times)
                .map(|(size, time)| format!("{} at {}", said(*time), grouped(size)));
            svg.say(format_args!("{}: {}", one.name, said.collect::<Vec<_>>().join(", ")));
        }
        for (at, size) in sizes.iter().enumerate() {
            let mut column: Vec<_> = series.iter().map(|one| (y(one.times[at]), one)).collect();
            column.sort_by(|(one, _), (other, _)| one.total_cmp(other));
            let heights: Vec<_> = column.iter().map(|(y, _)| *y).collect();
            if at + 1 == sizes.len() {
                for ((_, one), y) in column.iter().zip(spread(&heights)) {
                    let weight = if one.bold { r#"font-weight="600""# } else { "" };
                    let label = format!("{}: {}", one.name, said(one.times[at]));
                    svg.text(end + 12.0, y + 5.0, weight, label);
                }
                continue;
            }
            for (row, (y, one)) in column.iter().enumerate() {
                // On the side where there is more room.
                let above = row.checked_sub(1).map_or(f64::INFINITY, |row| y - heights[row]);
                let below = heights.get(row + 1).map_or(f64::INFINITY, |next| next - y);
                let (dx, y, anchor) = if above >= below {
                    (10.0, y - 9.0, "end")
                } else {
                    (-10.0, y + 20.0, "start")
                };
                let attributes = format!(r#"font-size="12" text-anchor="{anchor}""#);
                svg.text(x(*size) + dx, y, &attributes, said(one.times[at]));
            }
        }
        svg.finish(bottom + 24.0)
    }
}

/// Heights that are apart, and as near as they can be to these, which ascend.
fn spread(heights: &[f64]) -> Vec<f64> {
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
