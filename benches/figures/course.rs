//! Sizes over time, both on linear axes that begin at zero.

use super::{
    lines::spread,
    svg::{Caption, Svg, WIDTH},
};

const HEIGHT: f64 = 230.0;
const LEFT: f64 = 62.0;
const END: f64 = WIDTH - 210.0;

/// Maximum number of lines across the drawing.
const GRID: f64 = 6.0;

pub(crate) struct Course {
    pub(crate) caption: Caption,
    pub(crate) series: Vec<Samples>,
}

pub(crate) struct Samples {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    /// True to draw only dots.
    pub(crate) is_sparse: bool,
    /// Minutes and MiB.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Course {
    pub(crate) fn draw(self) -> String {
        let Self { caption, series } = self;
        let points = || series.iter().flat_map(|one| &one.points);
        let minutes = points().map(|(minute, _)| *minute).fold(0.0, f64::max);
        let largest = points().map(|(_, size)| *size).fold(0.0, f64::max);
        let step = step(largest);
        let highest = (largest / step).ceil() * step;
        let bottom = Svg::TOP + 14.0 + HEIGHT;
        let x = |minute: f64| LEFT + minute / minutes * (END - LEFT);
        let y = |size: f64| bottom - size / highest * HEIGHT;

        let mut svg = Svg::new(caption);
        let small = r#"font-size="11" fill-opacity=".7""#;
        let mut size = 0.0;
        while size <= highest {
            let opacity = if size > 0.0 { ".15" } else { ".7" };
            let attributes = format!(r#"stroke="currentColor" stroke-opacity="{opacity}""#);
            svg.path(&attributes, &format!("M{LEFT} {:.1}H{END}", y(size)));
            let attributes = format!(r#"{small} text-anchor="end""#);
            svg.text(LEFT - 6.0, y(size) + 4.0, &attributes, format_args!("{size} MiB"));
            size += step;
        }
        for minute in (0..=4).map(|quarter| minutes * f64::from(quarter) / 4.0) {
            let attributes = format!(r#"{small} text-anchor="middle""#);
            svg.text(x(minute), bottom + 15.0, &attributes, format_args!("{minute:.0} min"));
        }
        let mut labels = Vec::new();
        for Samples { name, colour, is_sparse, points } in &series {
            let drawn =
                points.iter().map(|(minute, size)| format!("{:.1} {:.1}", x(*minute), y(*size)));
            let drawn: Vec<_> = drawn.collect();
            if *is_sparse {
                let attributes =
                    format!(r#"stroke="{colour}" stroke-width="5" stroke-linecap="round""#);
                svg.path(&attributes, &format!("M{}h.1", drawn.join("h.1M")));
            } else {
                let attributes = format!(r#"fill="none" stroke="{colour}" stroke-width="1.5""#);
                svg.path(&attributes, &format!("M{}", drawn.join("L")));
            }
            if let [(_, first), .., (_, last)] = points[..] {
                labels.push((y(last), format!("{name}: {last:.1}"), *colour));
                svg.say(format_args!("{name}: {first:.1} MiB at first, {last:.1} MiB in the end"));
            }
        }
        labels.sort_by(|one, other| one.0.total_cmp(&other.0));
        let heights: Vec<_> = labels.iter().map(|(height, ..)| *height).collect();
        for (height, (_, label, colour)) in spread(&heights).into_iter().zip(&labels) {
            svg.text(END + 8.0, height + 4.0, &format!(r#"fill="{colour}""#), label);
        }
        svg.finish(bottom + 24.0)
    }
}

/// Returns a round distance of lines, with at most [`GRID`] lines below a size.
fn step(highest: f64) -> f64 {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if highest / step <= GRID {
            break;
        }
        step *= factor;
    }
    step
}
