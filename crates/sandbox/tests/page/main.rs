//! The page of `make dev` as a person uses it: the real local stack and a real browser. `make test-page` runs this.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows tests, but not the functions that they share"
)]

mod browser;
mod stack;

use browser::{Browser, ENTER, SHIFT, TAB};
use serde_json::{Value, json};
use stack::Stack;

const SIGN_IN: &str = "telephony-sms-mfa-verification";
const NUMBER: &str = "+12025550123";

/// The newest row.
const NEWEST: &str = "#stories > li:first-child > article";

impl Browser {
    fn on(stack: &Stack) -> Self {
        let browser = Self::open(&stack.page);
        browser.wait_for("the list of events", "return document.querySelectorAll('#event option').length > 20;");
        browser
    }

    /// Sends a recorded event from the page, and waits for its outcome.
    fn send(&self, event: &str, outcome: &str) {
        let choose = "const list = document.getElementById('event'); list.value = arguments[0];
            list.dispatchEvent(new Event('change')); return list.value;";
        assert_eq!(self.script(choose, &[json!(event)]), event);
        let before = self.rows();
        self.click("#send");
        let script = format!(
            "const rows = document.querySelectorAll('#stories article');
             return rows.length > {before} && rows[0].dataset.outcome === '{outcome}';"
        );
        self.wait_for(&format!("{event}, {outcome}"), &script);
    }

    fn rows(&self) -> u64 {
        self.script("return document.querySelectorAll('#stories article').length;", &[]).as_u64().unwrap()
    }

    /// The text of a row under a heading.
    fn cell(&self, row: &str, heading: &str) -> String {
        let script = "const heads = [...document.querySelector(arguments[0]).querySelectorAll('dt')];
            return heads.find((head) => head.textContent === arguments[1])?.nextElementSibling.innerText;";
        self.script(script, &[json!(row), json!(heading)]).as_str().unwrap_or_default().to_owned()
    }
}

fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} in {text:?}");
    }
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn a_code_is_followed_from_okta_to_the_phone_and_back() {
    let stack = Stack::start(&[]);
    let browser = Browser::on(&stack);
    assert_eq!(browser.rows(), 0, "neither what the stack asks to start the functions nor their warm-up is a row");
    assert_eq!(browser.count("#none"), 1);

    browser.send(SIGN_IN, "sent");
    assert_has(&browser.cell(NEWEST, "Okta asked"), &["sign-in", NUMBER, "SMS", "EN-US", "00uyxxSknGtK8022w0g3"]);
    assert_has(&browser.cell(NEWEST, "Decided"), &["Twilio accepted", "accepted", "ms of Okta's 3000"]);
    assert_has(&browser.cell(NEWEST, "Twilio"), &["send the code", "201"]);
    assert_has(&browser.cell(NEWEST, "Response to Okta"), &["200", "SUCCESSFUL", "asks the user for the code"]);
    assert_has(&browser.cell(NEWEST, "Phone"), &["826053", NUMBER, "sms"]);
    assert_has(&browser.cell(NEWEST, "Feedback"), &["pending"]);
    let news = "return document.querySelector('[aria-live=polite]').textContent;";
    assert_has(browser.script(news, &[]).as_str().unwrap(), &["A code for +12025550123 was sent."]);

    browser.click(&format!("{NEWEST} [data-key=type]"));
    browser.wait_for_text("article[data-outcome=reported]", &["Twilio now knows that the code was right."]);
    let sign_in = "article[data-outcome=sent]";
    browser.wait_for_text(sign_in, &["approved"]);
    assert_has(&browser.cell(sign_in, "Feedback"), &["approved", "Found in the sends table"]);
    assert_eq!(browser.count(&format!("{sign_in} [data-key=type]")), 0, "a code is typed once");

    browser.click(&format!("{sign_in} [data-key=log-summary]"));
    assert_has(&browser.text(&format!("{sign_in} [data-key=log] pre")), &["otp_sent", "feedback_approved"]);
    browser.click(&format!("{sign_in} [data-key=twilio-0-summary]"));
    assert_has(&browser.text(&format!("{sign_in} [data-key=twilio-0] pre")), &["POST /v2/Services/VA…", "Channel=sms"]);

    browser.reload();
    browser.wait_for_text(sign_in, &["approved", NUMBER]);
    assert_eq!(browser.rows(), 2);
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn refusals_and_failures_say_why_and_what_okta_does() {
    let stack = Stack::start(&[("BLOCKED_COUNTRIES", "GB")]);
    let browser = Browser::on(&stack);
    browser.send("telephony-policy-country-blocked", "refused");
    assert_has(&browser.cell(NEWEST, "Decided"), &["The number's country is blocked.", "country_blocked"]);
    assert_has(&browser.cell(NEWEST, "Twilio"), &["no request"]);
    assert_has(&browser.cell(NEWEST, "Response to Okta"), &["200", "Okta sends the code itself"]);
    assert_has(&browser.cell(NEWEST, "Phone"), &["no message"]);
    browser.send("telephony-twilio-60410-fraud-guard", "failed");
    assert_has(&browser.cell(NEWEST, "Decided"), &["Twilio blocked the number as fraud.", "60410"]);
    let answer = format!("{NEWEST} .answer");
    assert_has(&browser.text(&answer), &["Answer:", "The hook could not send the code.", "Safe List"]);
    assert_has(&browser.cell(NEWEST, "Twilio"), &["403, error 60410"]);
    browser.send("telephony-rejected-secret-wrong", "rejected");
    assert_has(&browser.cell(NEWEST, "Response to Okta"), &["401", "not_authenticated"]);
    assert_has(&browser.text(&answer), &["The hook rejected the request.", "An admin compares the secret"]);
    browser.send(SIGN_IN, "sent");
    assert_eq!(browser.count(&answer), 0, "a code that was sent needs no answer");

    let filters = browser.text("#filters");
    for counter in ["All 4", "Sent 1", "Refused 1", "Failed 1", "Rejected 1", "Approved 0", "Okta's events 0"] {
        assert!(filters.contains(counter), "{counter} in {filters}");
    }
    for (filter, shown) in [("refused", 1), ("all", 4)] {
        browser.click(&format!("#filter-{filter}"));
        assert_eq!(browser.count("#stories article"), shown, "{filter}");
    }
    for (words, shown) in [(NUMBER, 1), ("00uyxx", 4), ("60410", 1), ("nowhere", 0), (" ", 4)] {
        browser.fill("#search", words);
        // The page knows the user of the rejected one too, since the page sent it.
        let shown_now = format!(
            "return [...document.querySelectorAll('#stories li')].filter((row) => !row.hidden).length === {shown};"
        );
        browser.wait_for(&format!("{shown} rows for {words:?}"), &shown_now);
    }
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn trouble_is_ordered_on_the_page_and_time_passes() {
    let stack = Stack::start(&[]);
    let browser = Browser::on(&stack);
    browser.click("#down");
    browser.wait_for_text("#state", &["verify_create"]);
    browser.send(SIGN_IN, "failed");
    assert_has(&browser.cell(NEWEST, "Twilio"), &["503", "fault"]);
    browser.click("#later");
    browser.wait_for_text("#state", &["10 minutes ahead"]);
    assert!(!browser.text("#state").contains("verify_create"), "ten minutes are longer than ten seconds");
    browser.send(SIGN_IN, "sent");
    assert_eq!(browser.count("#type:enabled"), 1);
    browser.click("#later");
    browser.wait_for_text(NEWEST, &["expired"]);
    assert_eq!(browser.count("#type:enabled"), 0, "the code has expired");
    browser.click("#reset");
    browser.wait_for("an empty list", "return document.querySelectorAll('#stories li').length === 0;");
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn what_comes_another_way_shows_as_well() {
    let stack = Stack::start(&[]);
    let browser = Browser::on(&stack);
    let event = std::fs::read(stack::top_folder().join(format!("events/{SIGN_IN}.json"))).unwrap();
    let event: Value = serde_json::from_slice(&event).unwrap();
    let answer = ureq::post(&stack.functions)
        .header("auth_secret", "local-development-only")
        .send(event["body"].as_str().unwrap());
    assert_eq!(answer.unwrap().status(), 200);
    browser.wait_for_text("article[data-outcome=sent]", &["sign-in", NUMBER, "826053", "derived from the log"]);
    assert_eq!(browser.rows(), 1);
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn the_keyboard_is_enough() {
    let stack = Stack::start(&[]);
    let browser = Browser::on(&stack);
    let focus_on = |wanted: &str| {
        for _ in 0..60 {
            let script = "return document.activeElement.matches(arguments[0]);";
            if browser.script(script, &[json!(wanted)]) == true {
                let outline = "return getComputedStyle(document.activeElement).outlineStyle;";
                assert_eq!(browser.script(outline, &[]), "solid", "the focus on {wanted} can be seen");
                return;
            }
            browser.press(&[TAB]);
        }
        panic!("Tab does not reach {wanted}");
    };
    focus_on(".skip");
    focus_on("#send");
    browser.press(&[ENTER]);
    browser.wait_for_text(NEWEST, &["was sent"]);
    focus_on("[data-key=log-summary]");
    browser.press(&[ENTER]);
    assert_has(&browser.text(&format!("{NEWEST} [data-key=log] pre")), &["otp_sent"]);
    // Back to the button above. The row changes meanwhile, and the focus stays on the same control.
    while browser.script("return document.activeElement.dataset.key === 'type';", &[]) != true {
        browser.press_with(SHIFT, TAB);
    }
    browser.press(&[ENTER]);
    browser.wait_for_text("article[data-outcome=sent]", &["approved"]);
    assert_eq!(browser.count("article[data-outcome=sent] details[data-key=log][open]"), 1, "what is open stays open");
    let inside = "return document.activeElement.closest('article')?.dataset.outcome;";
    assert_eq!(browser.script(inside, &[]), "sent", "the focus is not lost with the button");
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn a_story_is_saved_as_a_page_of_its_own() {
    let stack = Stack::start(&[]);
    let browser = Browser::on(&stack);
    let folder = tempfile::tempdir().unwrap();
    let behaviour = json!({ "behavior": "allow", "downloadPath": folder.path(), "eventsEnabled": false });
    browser.command("Browser.setDownloadBehavior", &behaviour);
    browser.send(SIGN_IN, "sent");
    browser.click(&format!("{NEWEST} [data-key=save]"));
    let path = folder.path().join("sandbox-request-1.html");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !path.exists() && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let page = std::fs::read_to_string(&path).unwrap();
    assert_has(&page, &["<!doctype html>", "Sandbox", NUMBER, "otp_sent", "200", "826053"]);
    for active in ["<script", "<button", "http://", "https://", "src="] {
        assert!(!page.contains(active), "{active}: it is static and loads nothing");
    }
}

#[test]
#[ignore = "needs a browser: make test-page"]
fn it_can_be_read_at_every_width_in_both_themes() {
    let stack = Stack::start(&[("BLOCKED_COUNTRIES", "GB")]);
    let browser = Browser::on(&stack);
    browser.send("telephony-rejected-secret-wrong", "rejected");
    browser.send("telephony-twilio-60410-fraud-guard", "failed");
    browser.send("telephony-policy-country-blocked", "refused");
    browser.send(SIGN_IN, "sent");
    browser.click("#type");
    browser.wait_for_text("article[data-outcome=sent]", &["approved"]);
    browser.send("telephony-call-voice-call", "sent");
    for (width, height) in [(360, 1500), (768, 1024), (1280, 1400), (1600, 1200)] {
        browser.resize(width, height);
        for theme in ["light", "dark"] {
            browser.theme(theme);
            let overflow = browser.script("return document.scrollingElement.scrollWidth - innerWidth;", &[]);
            assert!(overflow.as_i64().unwrap() <= 0, "{width}: {overflow} pixels are beyond the edge");
            assert_eq!(browser.text("h1 .badge").to_lowercase(), "sandbox", "{width}");
            let faint = browser.script(FAINT_TEXTS, &[]);
            assert_eq!(faint, json!([]), "{width}, {theme}");
            keep_picture(&browser, &format!("page-{width}-{theme}"));
        }
    }
    assert_eq!(browser.script("return document.querySelectorAll('[id]').length - new Set([...document.querySelectorAll('[id]')].map((each) => each.id)).size;", &[]), 0);
}

/// Visible texts with a contrast below 4.5 to 1, the minimum of WCAG 2.2 AA (1.4.3). Disabled text is exempt.
const FAINT_TEXTS: &str = r#"
    const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
    const luminance = ([red, green, blue]) => {
        const [r, g, b] = [red, green, blue].map((value) => value / 255).map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = channels(getComputedStyle(each).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
        const text = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join(" ").trim();
        if (!text || element.disabled || !element.checkVisibility() || element.closest("noscript, option, script, style")) continue;
        const [one, two] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))];
        const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (contrast < 4.5) faint.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return faint;
"#;

/// Writes what the browser shows into the folder that `SCREENSHOTS` names, for the docs.
#[expect(clippy::disallowed_methods, reason = "asked for by whoever renews the pictures")]
fn keep_picture(browser: &Browser, name: &str) {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    if let Some(folder) = std::env::var_os("SCREENSHOTS").filter(|folder| !folder.is_empty()) {
        browser.script("document.activeElement.blur(); scrollTo(0, 0);", &[]);
        let picture = BASE64_STANDARD.decode(browser.screenshot()).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
    }
}
