//! Numbering plans: enough of them that Lookup completes, formats and judges numbers by real rules. Those of some thirty
//! countries are told apart by their first digits; of every other country only the calling code is known.

/// What a country makes of the digits after the calling code.
pub(crate) struct Plan {
    pub(crate) country: &'static str,
    pub(crate) calling_code: &'static str,
    /// Dialled before a national number, and not part of it.
    pub(crate) trunk: &'static str,
    /// Least and most digits of a national number.
    pub(crate) digits: (usize, usize),
    pub(crate) ranges: &'static [Range],
}

/// Numbers that begin with certain digits. The first range that fits counts; a number without any is not assigned.
pub(crate) struct Range {
    pub(crate) prefix: &'static str,
    /// As Lookup names it.
    pub(crate) line_type: &'static str,
    /// How many digits are written together; what is left goes into the last group.
    pub(crate) groups: &'static [usize],
}

const fn range(prefix: &'static str, line_type: &'static str, groups: &'static [usize]) -> Range {
    Range { prefix, line_type, groups }
}

const fn plan(
    country: &'static str,
    calling_code: &'static str,
    trunk: &'static str,
    digits: (usize, usize),
    ranges: &'static [Range],
) -> Plan {
    Plan { country, calling_code, trunk, digits, ranges }
}

/// North America, whose numbers all look alike; the country is in the area code.
const NORTH_AMERICA: &[Range] = &[
    range("800", "tollFree", &[3, 3, 4]),
    range("833", "tollFree", &[3, 3, 4]),
    range("844", "tollFree", &[3, 3, 4]),
    range("855", "tollFree", &[3, 3, 4]),
    range("866", "tollFree", &[3, 3, 4]),
    range("877", "tollFree", &[3, 3, 4]),
    range("888", "tollFree", &[3, 3, 4]),
    range("900", "premium", &[3, 3, 4]),
    // Mobile numbers have area codes like any other. 500 is for personal numbers; here it holds the magic ones.
    range("", "mobile", &[3, 3, 4]),
];

pub(crate) const PLANS: &[Plan] = &[
    plan("US", "1", "1", (10, 10), NORTH_AMERICA),
    plan("CA", "1", "1", (10, 10), NORTH_AMERICA),
    plan(
        "GB",
        "44",
        "0",
        (9, 10),
        &[
            range("70", "personal", &[4, 6]),
            range("76", "pager", &[4, 6]),
            range("7", "mobile", &[4, 6]),
            range("2", "landline", &[2, 4, 4]),
            range("1", "landline", &[4, 6]),
            range("3", "uan", &[3, 3, 4]),
            range("5", "nonFixedVoip", &[4, 6]),
            range("80", "tollFree", &[3, 3, 4]),
            range("8", "sharedCost", &[3, 3, 4]),
            range("9", "premium", &[3, 3, 4]),
        ],
    ),
    plan(
        "IE",
        "353",
        "0",
        (7, 9),
        &[
            range("8", "mobile", &[2, 3, 4]),
            range("1800", "tollFree", &[4, 6]),
            range("1", "landline", &[1, 3, 4]),
            range("", "landline", &[2, 3, 4]),
        ],
    ),
    plan(
        "DE",
        "49",
        "0",
        (5, 12),
        &[
            range("15", "mobile", &[4, 8]),
            range("16", "mobile", &[3, 8]),
            range("17", "mobile", &[3, 8]),
            range("180", "sharedCost", &[3, 8]),
            range("32", "nonFixedVoip", &[2, 10]),
            range("800", "tollFree", &[3, 8]),
            range("900", "premium", &[3, 8]),
            range("2", "landline", &[3, 9]),
            range("3", "landline", &[2, 10]),
            range("4", "landline", &[2, 10]),
            range("5", "landline", &[3, 9]),
            range("6", "landline", &[2, 10]),
            range("7", "landline", &[3, 9]),
            range("8", "landline", &[2, 10]),
            range("9", "landline", &[3, 9]),
        ],
    ),
    plan("AT", "43", "0", (4, 13), &[range("6", "mobile", &[3, 10]), range("", "landline", &[1, 12])]),
    plan(
        "CH",
        "41",
        "0",
        (9, 9),
        &[
            range("7", "mobile", &[2, 3, 2, 2]),
            range("800", "tollFree", &[3, 3, 3]),
            range("90", "premium", &[3, 3, 3]),
            range("", "landline", &[2, 3, 2, 2]),
        ],
    ),
    plan(
        "FR",
        "33",
        "0",
        (9, 9),
        &[
            range("6", "mobile", &[1, 2, 2, 2, 2]),
            range("7", "mobile", &[1, 2, 2, 2, 2]),
            range("80", "tollFree", &[3, 2, 2, 2]),
            range("89", "premium", &[3, 2, 2, 2]),
            range("8", "sharedCost", &[3, 2, 2, 2]),
            range("9", "nonFixedVoip", &[1, 2, 2, 2, 2]),
            range("", "landline", &[1, 2, 2, 2, 2]),
        ],
    ),
    plan(
        "ES",
        "34",
        "",
        (9, 9),
        &[
            range("6", "mobile", &[3, 2, 2, 2]),
            range("7", "mobile", &[3, 2, 2, 2]),
            range("80", "premium", &[3, 2, 2, 2]),
            range("900", "tollFree", &[3, 2, 2, 2]),
            range("90", "sharedCost", &[3, 2, 2, 2]),
            range("8", "landline", &[3, 2, 2, 2]),
            range("9", "landline", &[3, 2, 2, 2]),
        ],
    ),
    // The 0 of an Italian landline is part of the number, also from abroad.
    plan(
        "IT",
        "39",
        "",
        (6, 11),
        &[
            range("3", "mobile", &[3, 3, 4]),
            range("0", "landline", &[2, 4, 5]),
            range("800", "tollFree", &[3, 3, 4]),
            range("89", "premium", &[3, 3, 4]),
        ],
    ),
    plan(
        "NL",
        "31",
        "0",
        (7, 9),
        &[
            range("6", "mobile", &[1, 8]),
            range("800", "tollFree", &[3, 6]),
            range("90", "premium", &[3, 6]),
            range("", "landline", &[2, 3, 4]),
        ],
    ),
    plan("BE", "32", "0", (8, 9), &[range("4", "mobile", &[3, 2, 2, 2]), range("", "landline", &[1, 3, 2, 2])]),
    plan("SE", "46", "0", (7, 9), &[range("7", "mobile", &[2, 3, 2, 2]), range("", "landline", &[1, 3, 3, 2])]),
    plan(
        "NO",
        "47",
        "",
        (8, 8),
        &[
            range("4", "mobile", &[3, 2, 3]),
            range("9", "mobile", &[3, 2, 3]),
            range("80", "tollFree", &[3, 2, 3]),
            range("82", "premium", &[3, 2, 3]),
            range("", "landline", &[2, 2, 2, 2]),
        ],
    ),
    plan("DK", "45", "", (8, 8), &[range("", "mobile", &[2, 2, 2, 2])]),
    plan(
        "FI",
        "358",
        "0",
        (5, 10),
        &[range("4", "mobile", &[2, 8]), range("50", "mobile", &[2, 8]), range("", "landline", &[2, 8])],
    ),
    plan(
        "PL",
        "48",
        "",
        (9, 9),
        &[
            range("5", "mobile", &[3, 3, 3]),
            range("6", "mobile", &[3, 3, 3]),
            range("7", "mobile", &[3, 3, 3]),
            range("88", "mobile", &[3, 3, 3]),
            range("800", "tollFree", &[3, 3, 3]),
            range("", "landline", &[2, 3, 2, 2]),
        ],
    ),
    plan(
        "PT",
        "351",
        "",
        (9, 9),
        &[range("9", "mobile", &[3, 3, 3]), range("800", "tollFree", &[3, 3, 3]), range("2", "landline", &[3, 3, 3])],
    ),
    plan("IL", "972", "0", (8, 9), &[range("5", "mobile", &[2, 3, 4]), range("", "landline", &[1, 3, 4])]),
    plan("AE", "971", "0", (8, 9), &[range("5", "mobile", &[2, 3, 4]), range("", "landline", &[1, 3, 4])]),
    plan(
        "ZA",
        "27",
        "0",
        (9, 9),
        &[
            range("6", "mobile", &[2, 3, 4]),
            range("7", "mobile", &[2, 3, 4]),
            range("80", "tollFree", &[3, 3, 3]),
            range("8", "mobile", &[2, 3, 4]),
            range("", "landline", &[2, 3, 4]),
        ],
    ),
    plan(
        "IN",
        "91",
        "0",
        (10, 10),
        &[
            range("6", "mobile", &[5, 5]),
            range("7", "mobile", &[5, 5]),
            range("8", "mobile", &[5, 5]),
            range("9", "mobile", &[5, 5]),
            range("", "landline", &[2, 4, 4]),
        ],
    ),
    plan("CN", "86", "0", (10, 11), &[range("1", "mobile", &[3, 4, 4]), range("", "landline", &[2, 4, 4])]),
    plan(
        "HK",
        "852",
        "",
        (8, 8),
        &[
            range("5", "mobile", &[4, 4]),
            range("6", "mobile", &[4, 4]),
            range("9", "mobile", &[4, 4]),
            range("", "landline", &[4, 4]),
        ],
    ),
    plan(
        "JP",
        "81",
        "0",
        (9, 10),
        &[
            range("70", "mobile", &[2, 4, 4]),
            range("80", "mobile", &[2, 4, 4]),
            range("90", "mobile", &[2, 4, 4]),
            range("50", "nonFixedVoip", &[2, 4, 4]),
            range("120", "tollFree", &[3, 3, 3]),
            range("", "landline", &[1, 4, 4]),
        ],
    ),
    plan(
        "SG",
        "65",
        "",
        (8, 8),
        &[range("8", "mobile", &[4, 4]), range("9", "mobile", &[4, 4]), range("6", "landline", &[4, 4])],
    ),
    plan(
        "AU",
        "61",
        "0",
        (9, 10),
        &[
            range("4", "mobile", &[3, 3, 3]),
            range("180", "tollFree", &[4, 3, 3]),
            range("190", "premium", &[4, 3, 3]),
            range("13", "sharedCost", &[4, 3, 3]),
            range("2", "landline", &[1, 4, 4]),
            range("3", "landline", &[1, 4, 4]),
            range("7", "landline", &[1, 4, 4]),
            range("8", "landline", &[1, 4, 4]),
        ],
    ),
    plan("NZ", "64", "0", (8, 10), &[range("2", "mobile", &[2, 3, 5]), range("", "landline", &[1, 3, 4])]),
    // Fixed and mobile numbers cannot be told apart.
    plan("MX", "52", "", (10, 10), &[range("800", "tollFree", &[3, 3, 4]), range("", "mobile", &[2, 4, 4])]),
    // A mobile number has eleven digits; the two of the area come first, so the range cannot tell it.
    plan("BR", "55", "0", (10, 11), &[range("800", "tollFree", &[3, 3, 4]), range("", "mobile", &[2, 5, 4])]),
];

/// Area codes of North America outside the United States.
#[rustfmt::skip]
pub(crate) const AREA_CODES: &[(&str, &[&str])] = &[
    ("CA", &[
        "204", "226", "236", "249", "250", "257", "263", "289", "306", "343", "354", "365", "367", "368",
        "382", "387", "403", "416", "418", "428", "431", "437", "438", "450", "468", "474", "506", "514",
        "519", "548", "579", "581", "584", "587", "604", "613", "639", "647", "672", "683", "705", "709",
        "742", "753", "778", "780", "782", "807", "819", "825", "867", "873", "879", "902", "905",
    ]),
    ("AG", &["268"]),
    ("AI", &["264"]),
    ("AS", &["684"]),
    ("BB", &["246"]),
    ("BM", &["441"]),
    ("BS", &["242"]),
    ("DM", &["767"]),
    ("DO", &["809", "829", "849"]),
    ("GD", &["473"]),
    ("GU", &["671"]),
    ("JM", &["658", "876"]),
    ("KN", &["869"]),
    ("KY", &["345"]),
    ("LC", &["758"]),
    ("MP", &["670"]),
    ("MS", &["664"]),
    ("PR", &["787", "939"]),
    ("SX", &["721"]),
    ("TC", &["649"]),
    ("TT", &["868"]),
    ("VC", &["784"]),
    ("VG", &["284"]),
    ("VI", &["340"]),
];

/// Of these countries nothing but the calling code is known here.
#[rustfmt::skip]
pub(crate) const OTHER_CALLING_CODES: &[(&str, &str)] = &[
    ("7", "RU"), ("20", "EG"), ("30", "GR"), ("36", "HU"), ("40", "RO"), ("51", "PE"), ("53", "CU"),
    ("54", "AR"), ("56", "CL"), ("57", "CO"), ("58", "VE"), ("60", "MY"), ("62", "ID"), ("63", "PH"),
    ("66", "TH"), ("82", "KR"), ("84", "VN"), ("90", "TR"), ("92", "PK"), ("93", "AF"), ("94", "LK"),
    ("95", "MM"), ("98", "IR"), ("211", "SS"), ("212", "MA"), ("213", "DZ"), ("216", "TN"), ("218", "LY"),
    ("220", "GM"), ("221", "SN"), ("222", "MR"), ("223", "ML"), ("224", "GN"), ("225", "CI"), ("226", "BF"),
    ("227", "NE"), ("228", "TG"), ("229", "BJ"), ("230", "MU"), ("231", "LR"), ("232", "SL"), ("233", "GH"),
    ("234", "NG"), ("235", "TD"), ("236", "CF"), ("237", "CM"), ("238", "CV"), ("239", "ST"), ("240", "GQ"),
    ("241", "GA"), ("242", "CG"), ("243", "CD"), ("244", "AO"), ("245", "GW"), ("246", "IO"), ("247", "AC"),
    ("248", "SC"), ("249", "SD"), ("250", "RW"), ("251", "ET"), ("252", "SO"), ("253", "DJ"), ("254", "KE"),
    ("255", "TZ"), ("256", "UG"), ("257", "BI"), ("258", "MZ"), ("260", "ZM"), ("261", "MG"), ("262", "RE"),
    ("263", "ZW"), ("264", "NA"), ("265", "MW"), ("266", "LS"), ("267", "BW"), ("268", "SZ"), ("269", "KM"),
    ("290", "SH"), ("291", "ER"), ("297", "AW"), ("298", "FO"), ("299", "GL"), ("350", "GI"), ("352", "LU"),
    ("354", "IS"), ("355", "AL"), ("356", "MT"), ("357", "CY"), ("359", "BG"), ("370", "LT"), ("371", "LV"),
    ("372", "EE"), ("373", "MD"), ("374", "AM"), ("375", "BY"), ("376", "AD"), ("377", "MC"), ("378", "SM"),
    ("380", "UA"), ("381", "RS"), ("382", "ME"), ("383", "XK"), ("385", "HR"), ("386", "SI"), ("387", "BA"),
    ("389", "MK"), ("420", "CZ"), ("421", "SK"), ("423", "LI"), ("500", "FK"), ("501", "BZ"), ("502", "GT"),
    ("503", "SV"), ("504", "HN"), ("505", "NI"), ("506", "CR"), ("507", "PA"), ("508", "PM"), ("509", "HT"),
    ("590", "GP"), ("591", "BO"), ("592", "GY"), ("593", "EC"), ("594", "GF"), ("595", "PY"), ("596", "MQ"),
    ("597", "SR"), ("598", "UY"), ("599", "CW"), ("670", "TL"), ("672", "NF"), ("673", "BN"), ("674", "NR"),
    ("675", "PG"), ("676", "TO"), ("677", "SB"), ("678", "VU"), ("679", "FJ"), ("680", "PW"), ("681", "WF"),
    ("682", "CK"), ("683", "NU"), ("685", "WS"), ("686", "KI"), ("687", "NC"), ("688", "TV"), ("689", "PF"),
    ("690", "TK"), ("691", "FM"), ("692", "MH"), ("850", "KP"), ("853", "MO"), ("855", "KH"), ("856", "LA"),
    ("880", "BD"), ("886", "TW"), ("960", "MV"), ("961", "LB"), ("962", "JO"), ("963", "SY"), ("964", "IQ"),
    ("965", "KW"), ("966", "SA"), ("967", "YE"), ("968", "OM"), ("970", "PS"), ("973", "BH"), ("974", "QA"),
    ("975", "BT"), ("976", "MN"), ("977", "NP"), ("992", "TJ"), ("993", "TM"), ("994", "AZ"), ("995", "GE"),
    ("996", "KG"), ("998", "UZ"),
];
