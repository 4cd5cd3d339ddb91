//! The report as a page: one file without scripts, without anything from elsewhere. Each plot has its table.

use std::fmt::Write as _;

use super::{COLUMNS, MORE, PRICES, Report, advice, cells, describe, feedback, percent};
use crate::report::tally::{Dimension, Tally};

/// Bars of a plot. The table has all groups.
const MAX_BARS: usize = 25;
const BAR_HEIGHT: usize = 18;
const LABEL_WIDTH: usize = 150;
const PLOT_WIDTH: usize = 640;

const STYLE: &str = "\
:root{color-scheme:light dark;--used:#0b6e4f;--unused:#b45309;--line:#8888}\
@media(prefers-color-scheme:dark){:root{--used:#34d399;--unused:#fbbf24}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.2rem .6rem;border-bottom:1px solid var(--line);text-align:right}\
th:first-child,td:first-child{text-align:left}\
figure{margin:1rem 0;overflow-x:auto}svg{max-width:100%;height:auto}svg text{font-size:12px;fill:currentColor}\
.used{fill:var(--used)}.unused{fill:var(--unused)}";

/// Renders the page.
pub(super) fn render(report: &Report) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Verification report</title><style>{STYLE}</style></head><body><h1>Verification report</h1>\
         <p>{} to {}</p><p><strong>{}</strong></p><p>{PRICES}</p>",
        report.since.to_rfc3339(),
        report.until.to_rfc3339(),
        escaped(&feedback(&report.tallies))
    );
    if !report.is_complete {
        let _ = write!(page, "<p>{MORE}</p>");
    }
    page.push_str("<h2>Suspected pumping</h2>");
    if report.suspects.is_empty() {
        page.push_str("<p>None.</p>");
    }
    for suspect in &report.suspects {
        let _ =
            write!(page, "<p><strong>{}</strong><br>{}</p>", escaped(&describe(suspect)), escaped(&advice(suspect)));
    }
    for dimension in Dimension::ALL {
        let groups = report.tallies.groups(dimension);
        let _ =
            write!(page, "<h2>By {}</h2>{}{}", dimension.name(), plot(dimension, &groups), table(dimension, &groups));
    }
    page.push_str("</body></html>\n");
    page
}

fn plot(dimension: Dimension, groups: &[(&str, Tally)]) -> String {
    let shown = groups.get(..groups.len().min(MAX_BARS)).unwrap_or_default();
    let largest = shown.iter().map(|(_, tally)| tally.attempts).max().unwrap_or_default().max(1);
    let name = dimension.name();
    let text = shown.first().map_or_else(
        || "No attempts.".to_owned(),
        |_| format!("Attempts by {name}, used and not used. The table below has the values."),
    );
    let (width, height) = (LABEL_WIDTH + PLOT_WIDTH + 90, shown.len() * (BAR_HEIGHT + 6) + 4);
    let mut svg = format!(
        "<figure><svg role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" aria-labelledby=\"plot-{name}\">\
         <title id=\"plot-{name}\">{text}</title>"
    );
    for (index, (key, tally)) in shown.iter().enumerate() {
        let y = index * (BAR_HEIGHT + 6);
        let length = |count: u64| usize::try_from(count * PLOT_WIDTH as u64 / largest).unwrap_or_default();
        let (used, all) = (length(tally.converted), length(tally.attempts));
        let baseline = y + 13;
        let _ = write!(
            svg,
            "<text x=\"{label}\" y=\"{baseline}\" text-anchor=\"end\">{key}</text>\
             <rect class=\"used\" x=\"{LABEL_WIDTH}\" y=\"{y}\" width=\"{used}\" height=\"{BAR_HEIGHT}\"/>\
             <rect class=\"unused\" x=\"{start}\" y=\"{y}\" width=\"{rest}\" height=\"{BAR_HEIGHT}\"/>\
             <text x=\"{end}\" y=\"{baseline}\">{rate}</text>",
            label = LABEL_WIDTH - 8,
            key = escaped(key),
            start = LABEL_WIDTH + used,
            rest = all - used,
            end = LABEL_WIDTH + all + 6,
            rate = percent(tally),
        );
    }
    svg.push_str("</svg><figcaption>Used codes (green) and unused codes (amber), with the share of used ones.</figcaption></figure>");
    svg
}

fn table(dimension: Dimension, groups: &[(&str, Tally)]) -> String {
    let mut table = format!("<table><thead><tr><th scope=\"col\">{}</th>", dimension.name());
    for column in COLUMNS {
        let _ = write!(table, "<th scope=\"col\">{column}</th>");
    }
    table.push_str("</tr></thead><tbody>");
    for (key, tally) in groups {
        let _ = write!(table, "<tr><th scope=\"row\">{}</th>", escaped(key));
        for cell in cells(tally) {
            let _ = write!(table, "<td>{cell}</td>");
        }
        table.push_str("</tr>");
    }
    table.push_str("</tbody></table>");
    table
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
