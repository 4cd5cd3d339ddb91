//! The sandbox as a program, for `make demo` and `make dev`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people, which handles no real secrets")]

use clap::Parser;
use sandbox::{Options, RateLimit, Sandbox, SecondCode, StartError, WhatsappUsers};
use serde_json::json;
use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::ctrl_c;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// A stand-in for Twilio Verify and Lookup on this machine, for development only.
///
/// It checks requests by Twilio's rules, keeps every message in an inbox, and has phone numbers for each kind of
/// response: see the README of the crate.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "they are a command's switches")]
struct Arguments {
    /// Port on 127.0.0.1 for TLS; 0: any free one
    #[arg(long, default_value_t = 8443, value_name = "PORT")]
    https_port: u16,
    /// Port on 127.0.0.1 for plain HTTP, also for the inbox; 0: any free one
    #[arg(long, default_value_t = 8081, value_name = "PORT")]
    http_port: u16,
    /// File for the certificate authority that clients must trust [default: a temporary file]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Verify service [default: printed at start]
    #[arg(long, value_name = "VA…")]
    service_sid: Option<String>,
    /// API key [default: printed at start]
    #[arg(long, value_name = "SK…")]
    api_key_sid: Option<String>,
    /// The API key's secret [default: printed at start]
    #[arg(long, value_name = "SECRET")]
    api_key_secret: Option<String>,
    /// The brand name in messages
    #[arg(long, value_name = "NAME")]
    friendly_name: Option<String>,
    /// Refuse custom codes (60204), as a Verify service does before they are enabled
    #[arg(long)]
    without_custom_codes: bool,
    /// When a pending verification gets another code, send the first one again
    #[arg(long)]
    keep_first_code: bool,
    /// Refuse WhatsApp (68008), as a Verify service does without a sender
    #[arg(long)]
    without_whatsapp: bool,
    /// Numbers that are on WhatsApp, separated by commas [default: all]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    whatsapp_users: Option<Vec<String>>,
    /// Refuse SMS to landlines (60205)
    #[arg(long)]
    skip_sms_to_landlines: bool,
    /// A rate limit of the Verify service, e.g. `okta_user=5/600`: five in ten minutes; may be repeated
    #[arg(long = "rate-limit", value_name = "KEY=MAX/SECONDS", value_parser = rate_limit)]
    rate_limits: Vec<RateLimit>,
    /// End when standard input is closed, i.e. with the process that started this one
    #[arg(long)]
    until_stdin_closes: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let until_stdin_closes = arguments.until_stdin_closes;
    let options = options(arguments);
    let sandbox = Sandbox::try_start(options.clone()).map_err(|error| match error {
        StartError::Listen(ref cause) if cause.kind() == io::ErrorKind::AddrInUse => {
            format!("{error}; --http-port and --https-port choose others, and 0 takes any free one").into()
        }
        error => Box::<dyn Error>::from(error),
    })?;
    println!("{}", greeting(&sandbox, &options));
    wait_for_the_end(until_stdin_closes)?;
    Ok(())
}

fn options(arguments: Arguments) -> Options {
    let default = Options::default();
    Options {
        https_port: arguments.https_port,
        http_port: arguments.http_port,
        ca_file: arguments.ca_file,
        service_sid: arguments.service_sid.unwrap_or(default.service_sid),
        api_key_sid: arguments.api_key_sid.unwrap_or(default.api_key_sid),
        api_key_secret: arguments.api_key_secret.unwrap_or(default.api_key_secret),
        friendly_name: arguments.friendly_name.unwrap_or(default.friendly_name),
        custom_code_enabled: !arguments.without_custom_codes,
        second_code: if arguments.keep_first_code { SecondCode::First } else { SecondCode::Newest },
        whatsapp_configured: !arguments.without_whatsapp,
        whatsapp_users: match arguments.whatsapp_users {
            Some(numbers) => WhatsappUsers::Only(numbers.into_iter().collect()),
            None => WhatsappUsers::All,
        },
        skip_sms_to_landlines: arguments.skip_sms_to_landlines,
        rate_limits: arguments.rate_limits,
        ..default
    }
}

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let parsed = || {
        let (unique_name, rate) = text.split_once('=')?;
        let (max, seconds) = rate.split_once('/')?;
        let interval = Duration::from_secs(seconds.parse().ok()?);
        Some(RateLimit { unique_name: unique_name.to_owned(), max: max.parse().ok()?, interval })
    };
    parsed().ok_or_else(|| "expected KEY=MAX/SECONDS, e.g. okta_user=5/600".to_owned())
}

/// The URL to open and the settings to copy.
fn greeting(sandbox: &Sandbox, options: &Options) -> String {
    let (https, http, ca_file) = (sandbox.https_url(), sandbox.http_url(), sandbox.ca_file().display());
    let secret = json!({
        "twilio_api_key_sid": options.api_key_sid,
        "twilio_api_key_secret": options.api_key_secret,
    });
    format!(
        "Twilio Verify and Lookup, for development only.

  Inbox  {http}/_sandbox/

For the functions' environment:

  TWILIO_VERIFY_URL={https}
  TWILIO_LOOKUP_URL={https}
  EXTRA_CA_FILE={ca_file}
  VERIFY_SERVICE_SID={service}

In the hooks secret:

  {secret}
",
        service = options.service_sid,
    )
}

/// Returns on Ctrl-C and on SIGTERM, so that the temporary files are removed.
fn wait_for_the_end(until_stdin_closes: bool) -> io::Result<()> {
    let (open, closed) = oneshot::channel::<()>();
    // Dropping `open` ends the wait.
    let _open = if until_stdin_closes {
        std::thread::spawn(move || {
            let _open = open;
            io::copy(&mut io::stdin().lock(), &mut io::sink())
        });
        None
    } else {
        Some(open)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
            _ = closed => Ok(()),
        }
    })
}
