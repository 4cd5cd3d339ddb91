//! `report`: sums, suspicion and privacy.

use sandbox::twilio_account::Attempt;
use serde_json::json;

use crate::world::{SERVICE, TELEPHONY_LOG, World};

/// Attempts of a country: `converted` of `count`, each of another number of one range.
fn attempts(country: &'static str, range: &str, count: u32, converted: u32) -> Vec<Attempt> {
    let attempt = |number: u32| {
        let (sid, verification) =
            (format!("VL{}{number:026}", hex(country)), format!("VE{}{number:026}", hex(country)));
        // Ten minutes apart, so that no hour is unusual.
        let at = now_seconds() - 86_400 + i64::from(number) * 600;
        let created = time(at);
        let mut attempt = Attempt::sms(&sid, SERVICE, &verification, &created, &format!("{range}{number:04}"));
        attempt.country = country;
        attempt.is_converted = number < converted;
        attempt.price = Some("-0.05");
        attempt
    };
    (0..count).map(attempt).collect()
}

/// Six hexadecimal digits that differ by country.
fn hex(country: &str) -> String {
    let [first, second] = country.as_bytes() else { panic!("two letters: {country}") };
    format!("{first:03x}{second:03x}")
}

#[expect(clippy::disallowed_methods, reason = "the program reads the system's clock too")]
fn now_seconds() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_secs().try_into().unwrap()
}

fn time(seconds: i64) -> String {
    okta_twilio::time::clock::Timestamp::from_millis(seconds * 1_000).to_rfc3339_seconds()
}

fn world(lists: &[Vec<Attempt>]) -> World {
    let world = World::healthy();
    let mut all: Vec<_> = lists.iter().flatten().cloned().collect();
    all.sort_by(|one, other| other.created.cmp(&one.created));
    world.twilio.change(|account| account.attempts = all);
    let line =
        |reason: &str| json!({"timestamp": time(now_seconds() - 60), "message": "otp_refused", "reason": reason});
    let lines = ["country_not_allowed", "country_not_allowed", "paused"].map(|reason| line(reason).to_string());
    world.aws.change(|account| account.log_groups.get_mut(TELEPHONY_LOG).unwrap().lines.extend(lines));
    world
}

#[test]
fn sums_are_right_and_nothing_is_suspected_without_a_reason() {
    let world = world(&[attempts("US", "+1202555", 40, 36), attempts("GB", "+44207946", 30, 24)]);
    let (exit, report) = world.run_json(&["report"]);
    assert_eq!(exit, 0, "{report}");
    assert_eq!(report["feedback_works"], true);
    assert_eq!(
        report["total"],
        json!({
            "attempts": 70, "converted": 60, "delivered": 70, "failed": 0, "price": 3.5, "unconverted_price": 0.5
        })
    );
    assert_eq!((&report["by"]["country"][0]["key"], &report["by"]["country"][0]["rate"]), (&"US".into(), &0.9.into()));
    assert_eq!(report["suspects"], json!([]));
    assert_eq!(report["not_sent"], json!({"by_reason": {"country_not_allowed": 2, "paused": 1}, "is_complete": true}));
    let text = world.run(&["report", "--by", "channel"]).stdout;
    assert!(text.contains("Feedback works: 60 of 70 attempts were reported as approved."), "{text}");
    assert!(text.contains("They lack Twilio's fee for each successful verification"), "{text}");
    assert!(text.contains("Not sent: country_not_allowed 2, paused 1\n"), "{text}");
    let csv = world.run(&["report", "--csv"]).stdout;
    assert_eq!(csv.lines().nth(1), Some("US,40,36,90.0%,40,0,2.00,0.0556,0.20"), "{csv}");
}

#[test]
fn a_pumped_range_is_named_by_its_prefix_only() {
    let pumped = attempts("NG", "+23480312", 40, 1);
    let world = world(&[attempts("US", "+1202555", 60, 54), attempts("GB", "+44207946", 60, 50), pumped]);
    let (exit, report) = world.run_json(&["report"]);
    assert_eq!((exit, report["suspects"].as_array().unwrap().len()), (1, 1), "{report}");
    let suspect = &report["suspects"][0];
    assert_eq!((&suspect["country"], &suspect["prefix"]), (&"NG".into(), &"+23480312".into()));
    assert_eq!((&suspect["numbers"], &suspect["unconverted_price"]), (&40.into(), &1.95.into()));
    let text = world.run(&["report"]).stdout;
    assert!(text.contains("BLOCKED_COUNTRIES=NG") && text.contains("saved 1.95"), "{text}");
    world.assert_no_leak(&["report"], &["+1202555", "1202555", "+44207946", "234803120"]);
}

#[test]
fn a_range_of_few_numbers_is_not_printed() {
    let mut few = attempts("NG", "+23480312", 40, 0);
    for (index, attempt) in few.iter_mut().enumerate() {
        attempt.to = format!("+23480312{:04}", index % 19);
    }
    let world = world(&[attempts("US", "+1202555", 60, 54), attempts("GB", "+44207946", 60, 50), few]);
    let (_, report) = world.run_json(&["report"]);
    assert_eq!(report["suspects"], json!([]), "{report}");
    world.assert_no_leak(&["report"], &["23480312"]);
}

#[test]
fn an_unusual_hour_of_a_country_is_suspected() {
    let mut burst = attempts("NG", "+23480312", 60, 0);
    for (index, attempt) in burst.iter_mut().enumerate() {
        attempt.to = format!("+2348{index:02}3120000");
        attempt.created = time(now_seconds() / 3_600 * 3_600 - 7_200);
    }
    let world = world(&[attempts("US", "+1202555", 60, 54), attempts("GB", "+44207946", 60, 50), burst]);
    let (exit, report) = world.run_json(&["report"]);
    assert_eq!((exit, &report["suspects"][0]["country"]), (1, &"NG".into()), "{report}");
    assert_eq!(report["suspects"][0]["prefix"], json!(null));
}

#[test]
fn rates_mean_nothing_without_feedback() {
    let world = world(&[attempts("NG", "+23480312", 40, 0)]);
    let (exit, report) = world.run_json(&["report"]);
    assert_eq!((exit, &report["feedback_works"], &report["suspects"]), (1, &false.into(), &json!([])));
    assert!(world.run(&["report"]).stdout.starts_with("Feedback does not work"));
    let few = self::world(&[attempts("US", "+1202555", 19, 0)]);
    let (exit, report) = few.run_json(&["report"]);
    assert_eq!((exit, &report["feedback_works"]), (0, &json!(null)));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let mut carrier = attempts("US", "+1202555", 25, 20);
    carrier[0].country = "GB";
    let world = world(&[carrier]);
    let file = std::env::temp_dir().join(format!("okta-twilio-report-{}.html", std::process::id()));
    let output = world.run(&["report", "--html", file.to_str().unwrap()]);
    assert_eq!(output.status, 0, "{}", output.stderr);
    let page = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    for part in
        ["<table>", "role=\"img\"", "<title id=\"plot-country\">", "By hour", "80.0%", "<th scope=\"row\">US</th>"]
    {
        assert!(page.contains(part), "{part}");
    }
    for foreign in ["http:", "https:", "<script", "2025550", "src="] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_eq!(world.run(&["report", "--html", "/nowhere/report.html"]).status, 2);
}

#[test]
fn a_key_without_the_permission_is_said() {
    let world = world(&[]);
    let mut key_only = world;
    for name in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"] {
        key_only.environment.remove(name);
    }
    let output = key_only.run(&["report"]);
    assert_eq!((output.status, output.stdout.as_str()), (2, ""));
    assert!(output.stderr.contains("/twilio/verify/verification-attempt/list"), "{}", output.stderr);
}

#[test]
fn a_report_of_a_part_says_so() {
    let mut many = attempts("US", "+1202555", 201, 180);
    for attempt in &mut many {
        attempt.created = time(now_seconds() - 7_200);
    }
    let world = world(&[many]);
    assert_eq!(world.run_json(&["report"]).1["is_complete"], true);
    assert!(!world.run(&["report", "--csv"]).stderr.contains("more attempts"));
    // This program reads 200 pages.
    world.twilio.change(|account| account.page_limit = 1);
    let (_, report) = world.run_json(&["report"]);
    assert_eq!((&report["is_complete"], &report["total"]["attempts"]), (&false.into(), &200.into()));
    let more = "There are more attempts than this command reads";
    assert!(world.run(&["report"]).stdout.contains(more));
    // Spreadsheets read rows only.
    let csv = world.run(&["report", "--csv"]);
    assert!(csv.stderr.contains(more), "{}", csv.stderr);
    assert_eq!(csv.stdout.lines().count(), 2, "{}", csv.stdout);
    assert!(csv.stdout.lines().all(|line| line.split(',').count() == 9), "{}", csv.stdout);
}
