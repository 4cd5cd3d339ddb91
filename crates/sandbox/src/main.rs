//! The sandbox as a program, for `make demo` and `make dev`.

fn main() {}
