//! AWS Security Token Service.

use axum::response::Response;

use super::protocol;
use crate::aws::ACCOUNT;

pub(super) fn identity() -> Response {
    let result =
        format!("<Arn>arn:aws:iam::{ACCOUNT}:user/admin</Arn><UserId>AIDAEXAMPLE</UserId><Account>{ACCOUNT}</Account>");
    protocol::xml("GetCallerIdentity", "https://sts.amazonaws.com/doc/2011-06-15/", &result)
}
