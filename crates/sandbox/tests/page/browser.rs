//! A browser for the tests: Chromium, driven by chromedriver over the W3C WebDriver protocol
//! (<https://www.w3.org/TR/webdriver2/>).

use sandbox::guard::Guard;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use ureq::Agent;

/// The time to wait for something to appear.
const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);
/// The key of an element reference in WebDriver.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const SHIFT: &str = "\u{e008}";

pub(crate) struct Browser {
    driver: Child,
    _guard: Guard,
    session: String,
}

impl Browser {
    /// Opens a page.
    pub(crate) fn open(url: &str) -> Self {
        let mut driver = Command::new(variable("CHROMEDRIVER"));
        let libraries = variable("BROWSER_LIBRARIES");
        if !libraries.is_empty() {
            driver.env("LD_LIBRARY_PATH", libraries);
        }
        let mut driver = driver
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("chromedriver; `make test-page` finds it");
        // The driver ends with this process, however it ends, and stops the browser.
        let guard = Guard::start(driver.id()).unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok());
        // Keep reading, so that the driver never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let driver_url = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        // The browser's own sandbox needs rights that containers lack; it sees one page, which is this project's.
        let options = json!({
            "binary": variable("CHROMIUM"),
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--lang=en-US",
                     "--hide-scrollbars", "--force-color-profile=srgb"],
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let created = ask("POST", &format!("{driver_url}/session"), &capabilities);
        let session = format!("{driver_url}/session/{}", created["sessionId"].as_str().unwrap());
        let browser = Self { driver, _guard: guard, session };
        browser.resize(1280, 900);
        browser.post("url", &json!({ "url": url }));
        browser
    }

    pub(crate) fn reload(&self) {
        self.post("refresh", &json!({}));
    }

    /// The size of the page's viewport in CSS pixels.
    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Sets the colour scheme of the system: `light` or `dark`.
    pub(crate) fn theme(&self, theme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.command("Emulation.setEmulatedMedia", &features);
    }

    /// A command of Chromium's DevTools.
    pub(crate) fn command(&self, name: &str, parameters: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": name, "params": parameters }))
    }

    /// Runs a script with `arguments`. Returns its result.
    pub(crate) fn script(&self, body: &str, arguments: &[Value]) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": arguments }))
    }

    /// Waits until a script returns something other than null and false.
    pub(crate) fn wait_for(&self, what: &str, body: &str) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let value = self.script(body, &[]);
            if !value.is_null() && value != Value::Bool(false) {
                return value;
            }
            assert!(Instant::now() < end, "{what} does not come; the page says:\n{}", self.text("body"));
            std::thread::sleep(POLL);
        }
    }

    /// Waits for an element whose visible text contains all of these.
    pub(crate) fn wait_for_text(&self, selector: &str, texts: &[&str]) {
        let script = format!(
            "return [...document.querySelectorAll({})].some((each) => {}.every((text) => each.innerText.includes(text)));",
            json!(selector),
            json!(texts)
        );
        self.wait_for(&format!("{selector} with {texts:?}"), &script);
    }

    /// The visible text of the first such element.
    pub(crate) fn text(&self, selector: &str) -> String {
        let text = self.script("return document.querySelector(arguments[0])?.innerText;", &[json!(selector)]);
        text.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn count(&self, selector: &str) -> u64 {
        let script =
            "return [...document.querySelectorAll(arguments[0])].filter((each) => each.checkVisibility()).length;";
        self.script(script, &[json!(selector)]).as_u64().unwrap()
    }

    /// A mouse click. It fails if the element is hidden, covered or disabled.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/click"), &json!({}));
    }

    /// Types into an element.
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.post(&format!("element/{element}/clear"), &json!({}));
        self.post(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys one after the other in the focused element.
    pub(crate) fn press(&self, keys: &[&str]) {
        let strokes = keys.iter().flat_map(|key| [("keyDown", key), ("keyUp", key)]);
        self.keys(&strokes.map(|(kind, key)| json!({ "type": kind, "value": key })).collect::<Vec<_>>());
    }

    /// Presses a key while another one is held.
    pub(crate) fn press_with(&self, held: &str, key: &str) {
        let strokes = [("keyDown", held), ("keyDown", key), ("keyUp", key), ("keyUp", held)];
        self.keys(&strokes.map(|(kind, key)| json!({ "type": kind, "value": key })));
    }

    fn keys(&self, strokes: &[Value]) {
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// A screenshot of the viewport, as PNG in base64.
    pub(crate) fn screenshot(&self) -> String {
        ask("GET", &format!("{}/screenshot", self.session), &Value::Null).as_str().unwrap().to_owned()
    }

    fn find(&self, selector: &str) -> String {
        let found = self.post("element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    fn post(&self, resource: &str, body: &Value) -> Value {
        ask("POST", &format!("{}/{resource}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser properly. Killing its driver would not.
        let _ = agent().delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// Set by `make test-page`.
#[expect(
    clippy::disallowed_methods,
    reason = "where this machine has its browser is no configuration of the functions"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; `make test-page` does that"))
}

fn agent() -> Agent {
    let limit = Some(Duration::from_mins(1));
    Agent::config_builder().timeout_global(limit).http_status_as_error(false).proxy(None).build().into()
}

fn ask(method: &str, url: &str, body: &Value) -> Value {
    let answer = if method == "GET" { agent().get(url).call() } else { agent().post(url).send(body.to_string()) };
    let mut answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
    let text = answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().unwrap();
    let mut body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer.status(), 200, "{url}: {}", body["value"]["message"]);
    body["value"].take()
}
