//! `okta-twilio report`: what the codes cost, how many were used, and where numbers are probably pumped.

mod attempt;
mod page;
mod tally;

use std::{collections::BTreeMap, hash::RandomState, path::PathBuf, process::ExitCode};

use clap::Args;
use okta_twilio::{
    config::{CommonConfig, Variables},
    time::clock::Timestamp,
};
use serde::Serialize;
use serde_json::Value;

use self::{
    attempt::{Attempt, Row},
    tally::{Dimension, Suspect, Tallies, Tally},
};
use crate::{
    aws::logs::{self, Query},
    doctor::facts::Facts,
    environment::Environment,
    failure::Failure,
    stack::Hook,
    terminal::Terminal,
    twilio::{Addresses, Api, Twilio, credentials_of_environment},
};

const MILLIS_OF_DAY: i64 = 86_400_000;
const LIST: &str = "/twilio/verify/verification-attempt/list";

/// What every report says about its prices.
const PRICES: &str = "Prices are in the account's currency. They lack Twilio's fee for each successful verification, and the \
                      prices of the last hours can be missing.";

/// What a report says that could not read all attempts.
const MORE: &str =
    "There are more attempts than this command reads: the sums are of the newest ones. Choose fewer --days.";

/// The options of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// How many days back; Twilio keeps attempts for 30
    #[arg(long, default_value_t = 7, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=30))]
    days: u16,
    /// What the table is grouped by
    #[arg(long, value_enum, default_value = "country")]
    by: Dimension,
    /// Print the table as comma-separated values
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Also write a page with plots into this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Everything that a report shows.
pub(super) struct Report {
    since: Timestamp,
    until: Timestamp,
    tallies: Tallies,
    /// Whether all attempts of the period were read.
    is_complete: bool,
    suspects: Vec<Suspect>,
    /// Refusals by reason, from the functions' log; or why the log could not be read.
    refusals: Result<Refusals, String>,
}

/// Codes that were not sent.
#[derive(Default, Serialize)]
pub(super) struct Refusals {
    by_reason: BTreeMap<String, u64>,
    /// Whether the log had no more lines than were read.
    is_complete: bool,
}

/// Reads all attempts of the period and prints the report.
///
/// # Errors
/// Fails if the stack or Twilio cannot be read, or the page cannot be written.
pub(crate) async fn run(
    options: &ReportOptions,
    environment: &Environment,
    terminal: Terminal,
) -> Result<ExitCode, Failure> {
    let report = read(options, environment, terminal).await?;
    if let Some(file) = &options.html {
        std::fs::write(file, page::render(&report)).map_err(|_io_error| Failure::PageNotWritten)?;
    }
    if options.csv {
        print_csv(&report, options.by, terminal)?;
    } else if terminal.is_json() {
        terminal.print_json(&document(&report))?;
    } else {
        print(&report, options.by, terminal)?;
    }
    let is_well = report.suspects.is_empty() && report.tallies.feedback_works() != Some(false);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn read(options: &ReportOptions, environment: &Environment, terminal: Terminal) -> Result<Report, Failure> {
    environment.aws()?;
    terminal.progress("Reading the stack");
    let facts = Facts::gather(environment).await;
    let until = environment.clock.now();
    let since = Timestamp::from_millis(until.as_millis() - i64::from(options.days) * MILLIS_OF_DAY);
    let Some(Ok(secret)) = facts.hooks_secret() else { return Err(Failure::HooksSecretUnusable) };
    let (_, function) = facts.functions().next().ok_or(Failure::NoFunction)?;
    let verify = CommonConfig::from_variables(&Variables::new(&|name| function.variable(name)))?.verify_url;
    let credentials = credentials_of_environment().unwrap_or(secret.twilio);
    let twilio = Twilio::new(&environment.http, &Addresses::new(verify)?, credentials);
    terminal.progress("Reading the verification attempts");
    // Twilio takes whole seconds only.
    let (from, to) = (since.to_rfc3339_seconds(), until.to_rfc3339_seconds());
    let query = [
        ("VerifyServiceSid", secret.verify_service_sid.as_str()),
        ("DateCreatedAfter", &from),
        ("DateCreatedBefore", &to),
    ];
    let (key, mut tallies) = (RandomState::new(), Tallies::default());
    let add = |row: Row| {
        tallies.add(Attempt::of(row, &key));
        if tallies.total.attempts.is_multiple_of(10_000) {
            terminal.progress(&format!("{} attempts read", tallies.total.attempts));
        }
        true
    };
    let is_complete = twilio.pages((Api::Verify, "/v2/Attempts"), &query, ("attempts", LIST), add).await?;
    let suspects = tallies.suspects(f64::from(options.days) * 24.0);
    terminal.progress("Reading the log");
    let refusals = refusals(&facts, environment, since, until).await;
    Ok(Report { since, until, tallies, is_complete, suspects, refusals })
}

async fn refusals(
    facts: &Facts,
    environment: &Environment,
    from: Timestamp,
    to: Timestamp,
) -> Result<Refusals, String> {
    let aws = environment.aws.as_ref().map_err(ToString::to_string)?;
    let function = facts.function(Hook::Telephony).ok_or("the stack has no telephony-hook")?;
    let group = function.logging_config.log_group.clone().ok_or("telephony-hook has no log group")?;
    let any_of = ["otp_refused", "otp_failed"].map(|event| ("message", event.to_owned())).into();
    let lines = logs::lines(aws, &[group], &Query { from, to, any_of }).await.map_err(|error| error.to_string())?;
    let mut refusals = Refusals { is_complete: lines.len() < logs::MAX_LINES, ..Refusals::default() };
    for reason in lines.iter().filter_map(|line| line.get("reason")?.as_str()) {
        *refusals.by_reason.entry(reason.to_owned()).or_default() += 1;
    }
    Ok(refusals)
}

/// Whether a rate means anything.
fn feedback(tallies: &Tallies) -> String {
    let Tally { attempts, converted, .. } = tallies.total;
    match tallies.feedback_works() {
        Some(true) => format!("Feedback works: {converted} of {attempts} attempts were reported as approved."),
        Some(false) => format!(
            "Feedback does not work: none of {attempts} attempts was reported as approved, so rates mean nothing. \
             `okta-twilio doctor` says why."
        ),
        None => format!("There are only {attempts} attempts, too few to say whether feedback works."),
    }
}

/// What to do about a suspect.
fn advice(suspect: &Suspect) -> String {
    format!(
        "To refuse the country: BLOCKED_COUNTRIES={country}, or Verify's Geo permissions. To refuse risky numbers only: \
         MAX_SMS_PUMPING_RISK. Without these attempts you would have saved {saved:.2}.",
        country = suspect.country,
        saved = suspect.tally.unconverted_price
    )
}

/// A suspect in one line.
fn describe(suspect: &Suspect) -> String {
    let place = suspect.prefix.as_ref().map_or_else(String::new, |prefix| format!(" {prefix}…"));
    let numbers = suspect.numbers.map_or_else(String::new, |numbers| format!(" to {numbers} numbers"));
    let Tally { attempts, .. } = suspect.tally;
    let rate = percent(&suspect.tally);
    format!("{}{place}: {attempts} attempts{numbers}, {rate} converted, {}", suspect.country, suspect.why)
}

fn percent(tally: &Tally) -> String {
    format!("{:.1}%", tally.rate() * 100.0)
}

/// The heads of the table.
const COLUMNS: [&str; 8] =
    ["attempts", "converted", "rate", "delivered", "failed", "price", "per conversion", "unconverted price"];

/// The cells of a row.
fn cells(tally: &Tally) -> [String; 8] {
    [
        tally.attempts.to_string(),
        tally.converted.to_string(),
        percent(tally),
        tally.delivered.to_string(),
        tally.failed.to_string(),
        format!("{:.2}", tally.price),
        tally.price_per_conversion().map_or_else(|| "-".to_owned(), |price| format!("{price:.4}")),
        format!("{:.2}", tally.unconverted_price),
    ]
}

fn print(report: &Report, by: Dimension, terminal: Terminal) -> Result<(), Failure> {
    terminal.print(&feedback(&report.tallies))?;
    terminal.print(PRICES)?;
    if !report.is_complete {
        terminal.print(MORE)?;
    }
    terminal.print("")?;
    let mut rows = vec![(by.name(), COLUMNS.map(ToOwned::to_owned))];
    let groups = report.tallies.groups(by);
    rows.extend(groups.iter().map(|(key, tally)| (*key, cells(tally))));
    rows.push(("total", cells(&report.tallies.total)));
    let first = rows.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|(_, cells)| cells.get(column)).map(String::len).max();
    let widths: Vec<_> = (0..COLUMNS.len()).map(|column| width(column).unwrap_or_default()).collect();
    for (key, cells) in &rows {
        let cells: Vec<_> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        terminal.print(&format!("{key:<first$}  {}", cells.join("  ")))?;
    }
    terminal.print("")?;
    match &report.refusals {
        Ok(Refusals { by_reason, is_complete }) => {
            let counts: Vec<_> = by_reason.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
            let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
            let more = if *is_complete { "" } else { " (the newest only: there are more)" };
            terminal.print(&format!("Not sent: {counts}{more}"))?;
        }
        Err(why) => terminal.print(&format!("Not sent: unknown, because {why}"))?,
    }
    if report.suspects.is_empty() {
        return terminal.print("Suspected pumping: none");
    }
    terminal.print(&Terminal::heading("Suspected pumping"))?;
    for suspect in &report.suspects {
        terminal.print(&format!("  {}", describe(suspect)))?;
        terminal.print(&format!("    {}", advice(suspect)))?;
    }
    Ok(())
}

fn print_csv(report: &Report, by: Dimension, terminal: Terminal) -> Result<(), Failure> {
    terminal.print(&format!("{},{}", by.name(), COLUMNS.join(",")))?;
    for (key, tally) in report.tallies.groups(by) {
        // Only a carrier's name can hold a comma; it holds no quote.
        let key = if key.contains(',') { format!("\"{key}\"") } else { key.to_owned() };
        terminal.print(&format!("{key},{}", cells(&tally).join(",")))?;
    }
    if !report.is_complete {
        // Standard output has rows only, for spreadsheets.
        Terminal::warn(MORE);
    }
    Ok(())
}

fn document(report: &Report) -> Value {
    let groups: BTreeMap<_, Vec<_>> = Dimension::ALL
        .into_iter()
        .map(|dimension| {
            let row =
                |(key, tally): (&str, Tally)| serde_json::json!({"key": key, "rate": tally.rate(), "sums": tally});
            (dimension.name(), report.tallies.groups(dimension).into_iter().map(row).collect())
        })
        .collect();
    serde_json::json!({
        "since": report.since,
        "until": report.until,
        "is_complete": report.is_complete,
        "feedback_works": report.tallies.feedback_works(),
        "total": report.tallies.total,
        "by": groups,
        "suspects": report.suspects,
        "not_sent": report.refusals.as_ref().ok(),
        "prices": PRICES,
    })
}
