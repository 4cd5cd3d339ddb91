//! The core's reasons, for tests. This crate does not depend on the core, so they are read from the source file.

/// The code of each variant of `Reason`.
pub(crate) fn all() -> Vec<String> {
    let source = include_str!("../../okta-twilio/src/reason.rs");
    let list = source.split_once("pub enum Reason {").unwrap().1.split_once("\n}").unwrap().0;
    let variants: Vec<_> = list.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    assert!(variants.len() > 50, "the list is found: {variants:?}");
    variants.into_iter().map(snake_case).collect()
}

fn snake_case(variant: &str) -> String {
    let mut code = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !code.is_empty() {
            code.push('_');
        }
        code.push(letter.to_ascii_lowercase());
    }
    code
}
