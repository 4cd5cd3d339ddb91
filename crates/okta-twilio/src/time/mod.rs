//! Time, injected.

pub mod clock;
pub mod deadline;
pub mod moment;
pub mod pauses;
