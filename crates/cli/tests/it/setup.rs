//! `setup` makes a working pair of hooks, changes nothing on a second run, and continues after a failure.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sandbox::{
    okta_org::{Channel, InlineHook},
    twilio_account::{Key, Power, RestrictedKeys, Service},
};
use serde_json::{Value, json};

use crate::world::{HOOKS_SECRET_ARN, Output, SERVICE, World, hooks_secret};

pub(crate) const SETUP: [&str; 4] = ["setup", "--brand", "Example", "--yes"];

/// A deployed stack, and nothing at Twilio and Okta. `hooks` is the server behind the URLs of both hooks.
pub(crate) struct Fresh {
    pub(crate) world: World,
    hooks: HookServer,
}

impl Fresh {
    pub(crate) fn start() -> Self {
        let (world, hooks) = (World::healthy(), HookServer::start());
        let auth_secret = hooks_secret()["auth_secret"].as_str().unwrap().to_owned();
        clear(&world, &auth_secret);
        world.aws.change(|account| {
            let outputs = &mut account.stack.as_mut().unwrap().outputs;
            outputs.insert("TelephonyUrl".to_owned(), format!("http://{}/telephony", hooks.address));
            outputs.insert("EventsUrl".to_owned(), format!("http://{}/events", hooks.address));
        });
        Self { world, hooks }
    }

    pub(crate) fn secret(&self) -> Value {
        self.world.aws.change(|account| {
            let value = account.secrets[HOOKS_SECRET_ARN].as_ref();
            serde_json::from_str(value.unwrap()).unwrap()
        })
    }

    /// The number of Verify services, keys, telephony hooks and event hooks.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let [services, keys] = self.world.twilio.change(|account| [account.services.len(), account.keys.len()]);
        let [telephony, events] = self.world.okta.change(|org| [org.inline_hooks.len(), org.event_hooks.len()]);
        [services, keys, telephony, events]
    }

    /// The tags of the hooks secret.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        self.world.aws.change(|account| account.tags.get(HOOKS_SECRET_ARN).cloned().unwrap_or_default())
    }

    pub(crate) fn other_hook(&self) {
        let channel = Channel { uri: "https://other.example.com/".into(), header: None, secret: String::new() };
        let (id, kind) = ("calsandbox00000other".to_owned(), "com.okta.telephony.provider".to_owned());
        let other = InlineHook { id, name: "Name of a hook".to_owned(), kind, is_active: true, channel };
        self.world.okta.change(|org| org.inline_hooks.push(other));
    }
}

/// Leaves what a deployment makes: the functions, and a hooks secret that has no credentials for Twilio.
pub(crate) fn clear(world: &World, auth_secret: &str) {
    world.twilio.change(|account| {
        account.services.clear();
        account.keys.clear();
    });
    world.okta.change(|org| {
        org.inline_hooks.clear();
        org.event_hooks.clear();
    });
    let secret = json!({"auth_secret": auth_secret, "note": "of somebody else"}).to_string();
    world.aws.change(|account| account.secrets.insert(HOOKS_SECRET_ARN.to_owned(), Some(secret)));
}

/// The URLs of both hooks. It refuses every request but one: Okta's challenge, if the secret is right.
pub(crate) struct HookServer {
    address: SocketAddr,
    is_broken: Arc<AtomicBool>,
}

impl HookServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, is_broken) = (listener.local_addr().unwrap(), Arc::<AtomicBool>::default());
        let broken = Arc::clone(&is_broken);
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let lines = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
                let headers: Vec<_> = lines
                    .filter_map(|line| {
                        line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                    })
                    .collect();
                let header =
                    |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
                let length = header("content-length").map_or(0, |length| length.parse().unwrap());
                let _ = reader.read_exact(&mut vec![0; length]);
                let is_okta = header("auth_secret").as_deref() == hooks_secret()["auth_secret"].as_str();
                let (status, body) = match header("x-okta-verification-challenge") {
                    Some(challenge) if is_okta && !broken.load(Ordering::SeqCst) => {
                        ("200 OK", json!({"verification": challenge}))
                    }
                    _ => ("401 Unauthorized", json!({})),
                };
                let body = body.to_string();
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Self { address, is_broken }
    }
}

pub(crate) fn assert_done(output: &Output) {
    assert_eq!(output.status, 0, "{}{}", output.stdout, output.stderr);
}

#[test]
fn from_nothing_to_a_pair_of_hooks_that_doctor_finds_nothing_wrong_with() {
    let fresh = Fresh::start();
    fresh.world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id,okta_address=ip");
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(fresh.counts(), [1, 1, 1, 1]);
    let secret = fresh.secret();
    assert_eq!(secret["note"], "of somebody else", "other fields stay");
    assert_eq!(secret["auth_secret"], hooks_secret()["auth_secret"]);
    fresh.world.twilio.change(|account| {
        let service = &account.services[secret["verify_service_sid"].as_str().unwrap()];
        assert!(service.custom_code_enabled && service.friendly_name == "Example");
        let limits: Vec<_> =
            service.rate_limits.iter().map(|limit| (limit.unique_name.as_str(), limit.buckets.len())).collect();
        assert_eq!(limits, [("okta_user", 1), ("okta_address", 1)]);
        assert_eq!(
            account.keys[secret["twilio_api_key_sid"].as_str().unwrap()].secret,
            secret["twilio_api_key_secret"]
        );
    });
    fresh.world.okta.change(|org| {
        assert_eq!(org.inline_hooks[0].channel.secret, hooks_secret()["auth_secret"]);
        assert!(org.inline_hooks[0].is_active && org.event_hooks[0].is_verified);
    });
    let (exit, report) = fresh.world.run_json(&["doctor", "--only", "twilio,okta"]);
    assert_eq!((exit, &report["summary"]["warn"]), (0, &0.into()), "{report}");
}

#[test]
fn the_real_functions_accept_what_it_has_stored_in_okta() {
    let world = World::with_hooks();
    // The functions do not know this secret. When Okta sends it, they read the hooks secret again.
    clear(&world, "another-caller-secret-of-this-stack");
    assert_done(&world.run(&SETUP));
    assert!(world.okta.change(|org| org.event_hooks[0].is_verified), "by the real event-hook");
    let (exit, report) = world.run_json(&["doctor", "--only", "A3,twilio,okta,E1"]);
    assert_eq!(exit, 0, "{report}");
}

#[test]
fn a_second_run_changes_nothing() {
    let fresh = Fresh::start();
    assert_done(&fresh.world.run(&SETUP));
    let secret = fresh.secret();
    fresh.world.okta.change(|org| org.used.clear());
    fresh.world.twilio.change(|account| account.used.clear());
    let output = fresh.world.run(&["setup", "--json"]);
    assert_done(&output);
    let plan: Value = serde_json::from_str(&output.stdout).unwrap();
    assert!(plan["lines"].as_array().unwrap().iter().all(|line| line["action"] == "keep"), "{plan}");
    assert_eq!((fresh.counts(), fresh.secret()), ([1, 1, 1, 1], secret));
    assert!(fresh.world.okta.change(|org| org.used.iter().all(|scope| scope.ends_with("read"))));
    assert!(fresh.world.twilio.change(|account| {
        account.used.iter().all(|permission| permission.ends_with("/read") || permission.ends_with("/list"))
    }));
}

#[test]
fn it_uses_the_printed_permissions_only() {
    let fresh = Fresh::start();
    fresh.other_hook();
    fresh.world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id");
    fresh.world.set_okta_secret(&json!({}));
    let (_, printed) = fresh.world.run_json(&["permissions", "setup"]);
    assert_done(&fresh.world.run(&[&SETUP[..], &["--revoke-token"]].concat()));
    let permitted = |list: &Value, used: Vec<String>| {
        let list: Vec<_> = list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(!used.is_empty());
        for name in used {
            // A scope to manage includes the one to read.
            let wider = name.replace(".read", ".manage");
            assert!(list.contains(&name.as_str()) || list.contains(&wider.as_str()), "{name}: {printed}");
        }
    };
    permitted(&printed["aws"]["Statement"][0]["Action"], fresh.world.aws.change(|account| account.used.clone()));
    permitted(&printed["twilio"]["allow"], fresh.world.twilio.change(|account| account.used.clone()));
    permitted(&printed["okta"], fresh.world.okta.change(|org| org.used.clone()));
}

#[test]
fn nothing_is_changed_for_a_plan_or_without_a_yes() {
    let fresh = Fresh::start();
    fresh.other_hook();
    let before = fresh.secret();
    let (exit, plan) = fresh.world.run_json(&["setup", "--brand", "Example", "--plan"]);
    let actions: Vec<_> =
        plan["lines"].as_array().unwrap().iter().map(|line| line["action"].as_str().unwrap()).collect();
    assert_eq!((exit, &plan["applied"]), (0, &json!(false)));
    assert_eq!(
        actions,
        ["create", "create", "deactivate", "create", "create", "change", "keep", "keep"],
        "the phone authenticator and foreign credentials are only reported: {plan}"
    );
    let output = fresh.world.run(&["setup", "--brand", "Example"]);
    assert_eq!(output.status, 2, "{}", output.stdout);
    assert!(output.stderr.contains("--yes"), "{}", output.stderr);
    assert_eq!((fresh.counts(), fresh.secret()), ([0, 0, 1, 0], before));
    assert!(fresh.world.okta.change(|org| org.inline_hooks[0].is_active));
}

#[test]
fn what_is_missing_is_named_before_anything_is_changed() {
    for (variable, named) in [("TWILIO_AUTH_TOKEN", "TWILIO_AUTH_TOKEN"), ("OKTA_API_TOKEN", "OKTA_API_TOKEN")] {
        let mut fresh = Fresh::start();
        fresh.world.environment.remove(variable);
        let output = fresh.world.run(&SETUP);
        assert_eq!(output.status, 2);
        assert!(output.stderr.contains(named), "{}", output.stderr);
        assert_eq!(fresh.counts(), [0; 4]);
    }
    let fresh = Fresh::start();
    let output = fresh.world.run(&["setup", "--yes"]);
    assert!(output.status == 2 && output.stderr.contains("--brand"), "{}", output.stderr);
    assert_eq!(fresh.counts(), [0; 4]);
}

#[test]
fn it_continues_where_a_run_has_ended() {
    let mut fresh = Fresh::start();
    // A standard key creates services, but no keys.
    let standard = Key { secret: "standard-secret".into(), friendly_name: String::new(), power: Power::Standard };
    let sid = "SK00000000000000000000000000000009";
    fresh.world.twilio.change(|account| account.keys.insert(sid.to_owned(), standard));
    fresh.world.environment.insert("TWILIO_API_KEY", sid.to_owned());
    fresh.world.environment.insert("TWILIO_API_SECRET", "standard-secret".to_owned());
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("/twilio/iam/api-keys/create"), "{}", output.stderr);
    assert_eq!(fresh.counts(), [1, 1, 0, 0]);
    fresh.world.environment.remove("TWILIO_API_KEY");
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(fresh.counts(), [1, 2, 1, 1], "the same service is used");
}

/// Lets a run fail at each of its requests, and then lets another run finish. Returns how many requests a whole run has.
fn fails_at_each_request(refuse: impl Fn(&World, Option<u32>), then: impl Fn(&Fresh)) -> u32 {
    for number in 0..100 {
        let fresh = Fresh::start();
        fresh.world.set_variable("VERIFY_RATE_LIMITS", "okta_user=user_id,okta_address=ip");
        refuse(&fresh.world, Some(number));
        let output = fresh.world.run(&SETUP);
        refuse(&fresh.world, None);
        if output.status == 0 {
            return number;
        }
        assert_eq!(output.status, 2, "request {number}: {}{}", output.stdout, output.stderr);
        then(&fresh);
        let output = fresh.world.run(&SETUP);
        assert_eq!(output.status, 0, "after request {number}: {}", output.stderr);
        assert_eq!(fresh.counts(), [1, 1, 1, 1], "after request {number}: nothing is left over");
        assert!(fresh.world.okta.change(|org| org.event_hooks[0].is_verified));
        let output = fresh.world.run(&["setup", "--json"]);
        assert!(output.status == 0 && !output.stdout.contains("create"), "{}", output.stdout);
    }
    panic!("a run has fewer requests");
}

/// What was refused was surely not created, so no tag says that it may have been.
fn assert_no_trace(fresh: &Fresh) {
    let tags = fresh.tags();
    assert!(tags.values().all(|value| !value.starts_with("creating")), "{tags:?}");
}

#[test]
fn it_continues_after_a_failure_at_any_request_to_twilio() {
    let requests = fails_at_each_request(
        |world, after| world.twilio.change(|account| account.refuses_after = after),
        assert_no_trace,
    );
    assert!(requests > 10, "{requests}");
}

#[test]
fn it_continues_after_a_failure_at_any_request_to_okta() {
    let requests =
        fails_at_each_request(|world, after| world.okta.change(|org| org.refuses_after = after), assert_no_trace);
    assert!(requests > 6, "{requests}");
}

#[test]
fn it_continues_after_a_failure_at_any_request_to_aws() {
    let requests =
        fails_at_each_request(|world, after| world.aws.change(|account| account.refuses_after = after), |_fresh| {});
    assert!(requests > 15, "{requests}");
}

#[test]
fn a_service_whose_sid_could_not_be_stored_is_found_again() {
    let fresh = Fresh::start();
    fresh.world.aws.change(|account| account.denied.insert("secretsmanager:PutSecretValue"));
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("secretsmanager:PutSecretValue"), "{}", output.stderr);
    fresh.world.aws.change(|account| account.denied.clear());
    assert_done(&fresh.world.run(&["setup", "--yes"]));
    assert_eq!(fresh.counts(), [1, 1, 1, 1]);
}

#[test]
fn what_it_has_created_is_remembered_by_tags() {
    let fresh = Fresh::start();
    let own = BTreeMap::from([("team".to_owned(), "identity".to_owned())]);
    fresh.world.aws.change(|account| account.tags.insert(HOOKS_SECRET_ARN.to_owned(), own));
    assert_done(&fresh.world.run(&SETUP));
    let (tags, secret) = (fresh.tags(), fresh.secret());
    assert_eq!(tags["okta-twilio:verify-service"], secret["verify_service_sid"]);
    assert_eq!(tags["okta-twilio:twilio-key"], secret["twilio_api_key_sid"]);
    let [telephony, events] =
        fresh.world.okta.change(|org| [org.inline_hooks[0].id.clone(), org.event_hooks[0].id.clone()]);
    assert_eq!([&tags["okta-twilio:inline-hook"], &tags["okta-twilio:event-hook"]], [&telephony, &events]);
    assert_eq!((tags.len(), tags["team"].as_str()), (5, "identity"), "{tags:?}");
}

#[test]
fn it_creates_nothing_where_it_cannot_remember() {
    let fresh = Fresh::start();
    let tags = (0..45).map(|number| (format!("tag-{number}"), String::new())).collect();
    fresh.world.aws.change(|account| account.tags.insert(HOOKS_SECRET_ARN.to_owned(), tags));
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("tags"), "{}", output.stderr);
    let fresh = Fresh::start();
    fresh.world.aws.change(|account| account.denied.insert("secretsmanager:TagResource"));
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("secretsmanager:TagResource"), "{}", output.stderr);
    assert_eq!(fresh.counts(), [0; 4]);
}

#[test]
fn a_service_that_exists_is_offered_and_adopted() {
    let fresh = Fresh::start();
    fresh.world.twilio.change(|account| account.services.insert(SERVICE.to_owned(), Service::default()));
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains(&format!("--adopt {SERVICE}")), "{}", output.stderr);
    assert_done(&fresh.world.run(&["setup", "--adopt", SERVICE, "--yes"]));
    assert_eq!((fresh.counts(), &fresh.secret()["verify_service_sid"]), ([1, 1, 1, 1], &json!(SERVICE)));
    assert!(fresh.world.twilio.change(|account| account.services[SERVICE].custom_code_enabled));
}

#[test]
fn another_telephony_hook_goes_and_comes_back_if_ours_cannot_be_created() {
    let fresh = Fresh::start();
    fresh.other_hook();
    fresh.world.okta.change(|org| org.refused_hooks = 1);
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("active again"), "{}", output.stderr);
    assert!(fresh.world.okta.change(|org| org.inline_hooks.len() == 1 && org.inline_hooks[0].is_active));
    assert_done(&fresh.world.run(&SETUP));
    let active = fresh.world.okta.change(|org| org.inline_hooks.iter().map(|hook| hook.is_active).collect::<Vec<_>>());
    assert_eq!(active, [false, true], "the other one stays, inactive");
}

#[test]
fn ctrl_c_never_leaves_the_org_without_a_hook() {
    let fresh = Fresh::start();
    fresh.other_hook();
    fresh.world.okta.change(|org| org.delay = Duration::from_millis(500));
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-twilio"));
    command.args(SETUP).env_clear().envs(fresh.world.aws.variables()).envs(&fresh.world.environment);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The other hook is off, and Okta's response to that is still on its way.
    while fresh.world.okta.change(|org| org.inline_hooks[0].is_active) {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.contains("run this command again")), (Some(2), true), "{stderr}");
    let active =
        || fresh.world.okta.change(|org| org.inline_hooks.iter().map(|hook| hook.is_active).collect::<Vec<_>>());
    assert_eq!((active(), fresh.counts()), (vec![false, true], [1, 1, 2, 0]));
    fresh.world.okta.change(|org| org.delay = Duration::ZERO);
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!((active(), fresh.counts()), (vec![false, true], [1, 1, 2, 1]));
}

#[test]
fn parts_are_set_up_one_after_the_other() {
    let mut fresh = Fresh::start();
    let only = |fresh: &Fresh, part: &str| fresh.world.run(&["setup", "--brand", "Example", "--yes", "--only", part]);
    for part in ["telephony", "events", "telephony,events"] {
        let output = only(&fresh, part);
        assert!(output.status == 2 && output.stderr.contains("twilio"), "{}", output.stderr);
    }
    let token = fresh.world.environment.remove("OKTA_API_TOKEN").unwrap();
    assert_done(&only(&fresh, "twilio"));
    assert_eq!(fresh.counts(), [1, 1, 0, 0]);
    fresh.world.environment.insert("OKTA_API_TOKEN", token);
    let password = fresh.world.environment.remove("TWILIO_AUTH_TOKEN").unwrap();
    assert_done(&only(&fresh, "events"));
    assert_eq!(fresh.counts(), [1, 1, 0, 1]);
    assert_done(&only(&fresh, "telephony"));
    assert_eq!(fresh.counts(), [1, 1, 1, 1]);
    fresh.world.environment.insert("TWILIO_AUTH_TOKEN", password);
    let (exit, plan) = fresh.world.run_json(&["setup"]);
    assert!(plan["lines"].as_array().unwrap().iter().all(|line| line["action"] == "keep"), "{exit} {plan}");
}

#[test]
fn the_summary_has_the_id_of_each_thing() {
    let fresh = Fresh::start();
    let output = fresh.world.run(&SETUP);
    assert_done(&output);
    let (_, plan) = fresh.world.run_json(&["setup"]);
    let made = plan["made"].as_object().unwrap();
    assert_eq!(made.len(), 4, "{plan}");
    for (tag, id) in fresh.tags() {
        assert_eq!(made[&tag], id);
        assert!(output.stdout.contains(&id), "{}", output.stdout);
    }
}

#[test]
fn hooks_that_differ_are_corrected() {
    let fresh = Fresh::start();
    assert_done(&fresh.world.run(&SETUP));
    fresh.world.okta.change(|org| {
        org.inline_hooks[0].is_active = false;
        org.inline_hooks[0].channel.header = Some("authorization".to_owned());
        org.event_hooks[0].is_active = false;
        org.event_hooks[0].events.pop();
    });
    assert_done(&fresh.world.run(&SETUP));
    assert_eq!(fresh.counts(), [1, 1, 1, 1]);
    let (exit, report) = fresh.world.run_json(&["doctor", "--only", "okta"]);
    assert_eq!(exit, 0, "{report}");
}

#[test]
fn an_event_hook_that_cannot_be_verified_is_verified_by_the_next_run() {
    let fresh = Fresh::start();
    fresh.hooks.is_broken.store(true, Ordering::SeqCst);
    let output = fresh.world.run(&SETUP);
    assert!(output.status == 2 && output.stderr.contains("verify"), "{}", output.stderr);
    fresh.hooks.is_broken.store(false, Ordering::SeqCst);
    assert_done(&fresh.world.run(&SETUP));
    assert!(fresh.world.okta.change(|org| org.event_hooks.len() == 1 && org.event_hooks[0].is_verified));
}

#[test]
fn no_secret_is_printed() {
    for form in [&[][..], &["--json"], &["--plain"]] {
        let fresh = Fresh::start();
        fresh.other_hook();
        let outputs = [fresh.world.run(&[&SETUP, form].concat()), fresh.world.run(&[&["setup"], form].concat())];
        let secret = fresh.secret();
        let mut private: Vec<_> =
            ["auth_secret", "twilio_api_key_secret"].map(|name| secret[name].as_str().unwrap().to_owned()).into();
        private.extend(["OKTA_API_TOKEN", "TWILIO_AUTH_TOKEN"].map(|name| fresh.world.environment[name].clone()));
        private.extend(["Name of a hook", "other.example.com"].map(str::to_owned));
        for output in outputs {
            assert_done(&output);
            for text in &private {
                assert!(!output.stdout.contains(text) && !output.stderr.contains(text), "{text}: {}", output.stdout);
            }
        }
    }
}

#[test]
fn an_account_without_restricted_keys_gets_a_standard_key_and_a_warning() {
    for restricted_keys in [RestrictedKeys::Refused, RestrictedKeys::MadeStandard] {
        let fresh = Fresh::start();
        fresh.world.twilio.change(|account| account.restricted_keys = restricted_keys);
        let (exit, plan) = fresh.world.run_json(&SETUP);
        assert_eq!(exit, 0, "{plan}");
        assert_eq!(fresh.counts(), [1, 1, 1, 1], "{restricted_keys:?}");
        let sid = fresh.secret()["twilio_api_key_sid"].as_str().unwrap().to_owned();
        assert_eq!(fresh.world.twilio.change(|account| account.keys[&sid].power.clone()), Power::Standard);
        let warnings = plan["warnings"].as_array().unwrap();
        assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("restricted key"), "{plan}");
        let (_, again) = fresh.world.run_json(&SETUP);
        assert_eq!(again["applied"], false, "{again}");

        let fresh = Fresh::start();
        fresh.world.twilio.change(|account| account.restricted_keys = restricted_keys);
        let output = fresh.world.run(&SETUP);
        assert_done(&output);
        assert!(output.stdout.contains("Warning: Twilio made a Standard key"), "{}", output.stdout);
    }
}

#[test]
fn a_restricted_key_has_no_warning_and_missing_rights_give_no_standard_key() {
    let fresh = Fresh::start();
    let (exit, plan) = fresh.world.run_json(&SETUP);
    assert!(exit == 0 && plan.get("warnings").is_none(), "{plan}");

    let fresh = Fresh::start();
    // Twilio grants the list of services and the creation of one, and no more.
    fresh.world.twilio.change(|account| account.refuses_after = Some(2));
    assert_ne!(fresh.world.run(&SETUP).status, 0);
    assert_eq!(fresh.counts()[..2], [1, 0]);
    let used = fresh.world.twilio.change(|account| account.used.clone());
    let creations = used.iter().filter(|permission| *permission == "/twilio/iam/api-keys/create").count();
    assert_eq!(creations, 1, "no second try: {used:?}");
}
