//! The folder `events/` holds what its generator writes: files, index and README agree, and nothing else lies there.

use sandbox::recorded_events;

#[test]
fn the_folder_is_what_the_generator_writes() {
    let output = recorded_events::generator().arg("--check").output().expect("Python 3");
    let differences = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "run events/generate.py; it would change\n{differences}");
}
