# The Okta side by Terraform, for those who change their org in no other way. AWS belongs to SAM or CDK. README.md says what the
# provider cannot do.
terraform {
  required_version = ">= 1.5"
  required_providers {
    okta = { source = "okta/okta", version = "~> 6.12" }
    aws  = { source = "hashicorp/aws", version = "~> 6.0" }
  }
}

variable "telephony_url" {
  description = "Output TelephonyUrl of the stack"
  type        = string
}

variable "events_url" {
  description = "Output EventsUrl of the stack"
  type        = string
}

variable "hooks_secret_arn" {
  description = "Output HooksSecretArn of the stack"
  type        = string
}

data "aws_secretsmanager_secret_version" "hooks" {
  secret_id = var.hooks_secret_arn
}

locals {
  secret = jsondecode(data.aws_secretsmanager_secret_version.hooks.secret_string)
  # During a rotation auth_secret is a list, with the new value first.
  auth = { type = "HEADER", key = "auth_secret", value = flatten([local.secret.auth_secret])[0] }
}

resource "okta_inline_hook" "telephony" {
  name    = "Twilio Verify"
  type    = "com.okta.telephony.provider"
  version = "1.0.0"
  channel = { type = "HTTP", version = "1.0.0", method = "POST", uri = var.telephony_url }
  auth    = local.auth
}

resource "okta_event_hook" "feedback" {
  name    = "Twilio Verify feedback"
  events  = ["user.authentication.auth_via_mfa", "user.mfa.factor.activate"]
  channel = { type = "HTTP", version = "1.0.0", uri = var.events_url }
  auth    = local.auth
}

# Okta calls events_url at once, so the stack must be deployed and its secret filled in.
resource "okta_event_hook_verification" "feedback" {
  event_hook_id = okta_event_hook.feedback.id
  lifecycle {
    replace_triggered_by = [okta_event_hook.feedback]
  }
}
