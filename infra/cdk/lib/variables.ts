import { OktaTwilioHooksProps } from './props';

/** Variables of a function. What is not given stays unset, so that the function's own default holds. */
export type Variables = Record<string, string>;

/** What only the deployed resources know. */
export interface Deployed {
  readonly hooksSecret: string;
  readonly metricsStack: string;
  readonly sendsTable?: string;
  readonly feedbackQueueUrl?: string;
}

export function telephonyVariables(props: OktaTwilioHooksProps, deployed: Deployed): Variables {
  return given({
    ...common(props, deployed),
    AUTH_MODE: props.jwt ? 'jwt' : 'header',
    JWT_SCOPE: props.jwt?.scope,
    JWT_CLIENT_ID: props.jwt?.clientId,
    TWILIO_LOOKUP_URL: props.twilioLookupUrl,
    HOOK_BUDGET_MS: props.hookBudget?.toMilliseconds(),
    SMS_CHANNEL: props.smsChannel ?? 'sms',
    VERIFY_LOCALE: props.verifyLocale,
    DEFAULT_COUNTRY: props.defaultCountry,
    VERIFY_TEMPLATE_SID: props.verifyTemplateSid,
    VERIFY_RATE_LIMITS: props.verifyRateLimits && list(Object.entries(props.verifyRateLimits).map((each) => each.join('='))),
    LOOKUP_FIELDS: list(props.lookupFields),
    LOOKUP_TIMEOUT_MS: props.lookupTimeout?.toMilliseconds(),
    ALLOWED_COUNTRIES: list(props.allowedCountries),
    BLOCKED_COUNTRIES: list(props.blockedCountries),
    BLOCKED_LINE_TYPES: list(props.blockedLineTypes),
    BLOCKED_CARRIERS: list(props.blockedCarriers),
    MAX_SMS_PUMPING_RISK: props.maxSmsPumpingRisk,
    MAX_SIM_SWAP_AGE_HOURS: props.maxSimSwapAge?.toHours(),
    POLICY_EXEMPT_REQUEST_TYPES: list(props.policyExemptRequestTypes),
    LANDLINE_TO_CALL: props.landlineToCall ?? false,
    DENY_RESPONSE: props.denyResponse ?? 'error',
    POLICY_MODE: props.policyMode ?? 'enforce',
    COUNTRY_RULES: props.countryRules && JSON.stringify(props.countryRules),
    RESEND_CHANNELS: list(props.resendChannels),
    REPLACE_PENDING: props.replacePending ?? false,
  });
}

export function eventVariables(props: OktaTwilioHooksProps, deployed: Deployed): Variables {
  return given({
    ...common(props, deployed),
    FEEDBACK_QUEUE_URL: deployed.feedbackQueueUrl,
    FEEDBACK_MAX_AGE_SECONDS: props.feedbackMaxAge?.toSeconds(),
    PHONE_SOURCE: props.phoneSource,
    OKTA_ORG_URL: props.okta?.orgUrl,
    OKTA_SECRET_ID: props.okta?.secret.secretArn,
    OKTA_API_URL: props.okta?.apiUrl,
  });
}

function common(props: OktaTwilioHooksProps, deployed: Deployed): Record<string, unknown> {
  return {
    HOOKS_SECRET_ID: deployed.hooksSecret,
    SECRET_TTL_SECONDS: props.secretTtl?.toSeconds(),
    AUTH_HEADER: props.authHeader,
    VERIFY_SERVICE_SID: props.verifyServiceSid,
    TWILIO_VERIFY_URL: props.twilioVerifyUrl,
    EXTRA_CA_FILE: props.extraCaFile,
    METRICS_STACK: deployed.metricsStack,
    LOG_LEVEL: props.logLevel ?? 'info',
    SENDS_TABLE: deployed.sendsTable,
  };
}

function given(variables: Record<string, unknown>): Variables {
  const present = Object.entries(variables).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries(present.map(([name, value]) => [name, String(value)]));
}

function list(values?: string[]): string | undefined {
  return values?.join(',');
}
