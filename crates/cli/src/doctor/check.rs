//! The list of all checks.

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Aws,
    Twilio,
    Okta,
    Hooks,
}

impl Group {
    pub(crate) const ALL: &[Self] = &[Self::Aws, Self::Twilio, Self::Okta, Self::Hooks];

    /// The name for `--only` and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Twilio => "twilio",
            Self::Okta => "okta",
            Self::Hooks => "hooks",
        }
    }

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::Twilio => "Twilio",
            Self::Okta => "Okta",
            Self::Hooks => "End to end",
        }
    }
}

macro_rules! checks {
    ($($variant:ident $id:literal $group:ident $title:literal,)*) => {
        /// One check. The ids are stable: other programs can rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Check { $($variant,)* }

        impl Check {
            /// All checks, in the order in which they are printed.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(crate) fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)* }
            }

            pub(crate) fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)* }
            }

            /// What is checked, in a few words.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

checks! {
    Identity "A1" Aws "AWS credentials",
    Stack "A2" Aws "Stack",
    HooksSecret "A3" Aws "Hooks secret",
    OktaSecret "A4" Aws "Okta secret",
    Functions "A5" Aws "Functions",
    Roles "A6" Aws "Permissions of the functions",
    Queue "A7" Aws "Feedback queue",
    Alarms "A8" Aws "Alarms and logs",
    SecretAge "A9" Aws "Age of the secret",
    TwilioKey "T1" Twilio "Key of the hooks",
    TwilioAccount "T2" Twilio "Account",
    CustomCodes "T3" Twilio "Custom codes",
    VerifyService "T4" Twilio "Verify service",
    RateLimits "T5" Twilio "Rate limits",
    KeyPower "T6" Twilio "Permissions of the key",
    MessageTemplate "T7" Twilio "Template",
    Whatsapp "T8" Twilio "WhatsApp",
    SharedService "T9" Twilio "A Verify service of its own",
    Countries "T10" Twilio "Countries that Twilio allows",
    LookupPackages "T11" Twilio "Lookup",
    Organization "O1" Okta "Org",
    TelephonyHook "O2" Okta "Telephony inline hook",
    OnlyOneHook "O3" Okta "No other provider",
    EventHook "O4" Okta "Event hook",
    EventFilter "O5" Okta "Filter of the event hook",
    PhoneAuthenticator "O6" Okta "Phone authenticator",
    ServiceApp "O7" Okta "Service app",
    UsersReadable "O8" Okta "Reading users",
    ApiToken "O9" Okta "No API token",
    Failover "O10" Okta "Codes that Okta sent by itself",
    Deliveries "O11" Okta "Deliveries to event hooks",
    RateLimitLeft "O12" Okta "Rate limit",
    Routes "E1" Hooks "Addresses of the hooks",
    ThroughOkta "E2" Hooks "Call by Okta",
    Latency "E3" Hooks "Latency",
    Delivery "E4" Hooks "A code to your phone",
    ClockSkew "E5" Hooks "Clock",
    Feedback "E6" Hooks "Feedback",
    SecondCode "E7" Hooks "A second code while the first is pending",
}
