//! The types that are safe to log. A log field of any other type does not compile.
//!
//! ```compile_fail
//! fn log_field(_: impl okta_twilio::telemetry::safe::SafeToLog) {}
//! log_field(String::from("any text, such as a phone number"));
//! ```
//!
//! ```
//! fn log_field(_: impl okta_twilio::telemetry::safe::SafeToLog) {}
//! log_field("a text of this program");
//! log_field(okta_twilio::id::SafeId::parse("00u1hnx4oekfTHgqY0h8"));
//! ```

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::{
    config::StartError,
    id::SafeId,
    phone::{Channel, CountryCode, MaskedPhone, NetworkCode, Region},
    reason::Reason,
};

/// A value that is safe in a log line or a metric. It cannot hold a code, a number, a secret, a name or external text.
/// An implementation promises this for every value of the type, so review each one.
pub trait SafeToLog: Serialize {
    /// Whether the field is left out of the line.
    fn is_absent(&self) -> bool {
        false
    }
}

/// Declares types safe to log.
macro_rules! safe_to_log {
    ($($type:ty),* $(,)?) => { $(impl $crate::telemetry::safe::SafeToLog for $type {})* };
}

safe_to_log!(bool, u8, u16, u32, u64, i64, f64);
// A text that is part of the program.
safe_to_log!(&'static str);
safe_to_log!(Reason, SafeId, MaskedPhone, CountryCode, Region, Channel, NetworkCode, SourceFile);
// It names a variable, the problem and an example, but never the value.
safe_to_log!(StartError);

impl<T: SafeToLog> SafeToLog for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: SafeToLog> SafeToLog for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// The source file in which a panic began.
#[derive(Clone, Debug)]
pub struct SourceFile(String);

impl SourceFile {
    /// The file of a panic's location.
    pub fn of(location: &std::panic::Location<'_>) -> Self {
        Self(location.file().to_owned())
    }
}

impl Serialize for SourceFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The fields of one log event, to be written into its line.
pub trait LogFields {
    /// Writes every field that is present.
    ///
    /// # Errors
    /// Fails if the serializer fails.
    fn write<M: SerializeMap>(&self, line: &mut M) -> Result<(), M::Error>;
}

/// Writes one field. Its bound keeps other types out of the log.
pub(super) fn write_field<M: SerializeMap>(
    line: &mut M,
    key: &'static str,
    value: &impl SafeToLog,
) -> Result<(), M::Error> {
    if value.is_absent() { Ok(()) } else { line.serialize_entry(key, value) }
}

/// A struct whose fields are all safe to log. Each field has its own name as the key.
macro_rules! log_record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$field_meta:meta])* pub $field:ident: $type:ty, )* }
    ) => {
        $(#[$meta])*
        pub struct $name { $( $(#[$field_meta])* pub $field: $type, )* }

        impl $crate::telemetry::safe::LogFields for $name {
            fn write<M: serde::ser::SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
                $( $crate::telemetry::safe::write_field(line, stringify!($field), &self.$field)?; )*
                Ok(())
            }
        }
    };
}

/// The closed list of log events: the name in the log, the variant, and its fields or its record.
macro_rules! log_events {
    ($( $(#[$meta:meta])* $name:literal $variant:ident $body:tt, )*) => {
        /// The catalogue of log events. The key `message` holds the event's name.
        #[derive(Clone, Debug)]
        pub enum LogEvent { $( $(#[$meta])* $variant $body, )* }

        impl LogEvent {
            /// The names of all events.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The name in the log.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $name, )* }
            }
        }

        impl $crate::telemetry::safe::LogFields for LogEvent {
            fn write<M: serde::ser::SerializeMap>(&self, line: &mut M) -> Result<(), M::Error> {
                $( log_events!(@write self line $variant $body); )*
                Ok(())
            }
        }
    };
    (@write $self:ident $line:ident $variant:ident { $( $(#[$meta:meta])* $field:ident: $type:ty, )* }) => {
        if let Self::$variant { $($field),* } = $self {
            $( $crate::telemetry::safe::write_field($line, stringify!($field), $field)?; )*
        }
    };
    (@write $self:ident $line:ident $variant:ident ($record:ty)) => {
        if let Self::$variant(record) = $self {
            record.write($line)?;
        }
    };
}

pub(super) use {log_events, log_record, safe_to_log};
