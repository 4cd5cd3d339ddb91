import { Duration } from 'aws-cdk-lib';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import * as codedeploy from 'aws-cdk-lib/aws-codedeploy';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as route53 from 'aws-cdk-lib/aws-route53';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import * as sns from 'aws-cdk-lib/aws-sns';

/** The hooks that the stack serves. */
export type Hooks = 'both' | 'telephony' | 'events';

/** A channel of Twilio Verify. */
export type Channel = 'sms' | 'whatsapp' | 'call';

/** The source of the value for a rate limit of the Verify service. */
export type RateLimitSource = 'user_id' | 'phone' | 'ip' | 'request_type';

/** The resources of Okta's API that supply a user's number, in this order. */
export type PhoneSource = 'factors' | 'profile' | 'factors,profile' | 'none';

/** How codes are sent to one country; see docs/policy.md. */
export interface CountryRule {
  readonly channel?: Channel;
  readonly template_sid?: string;
  readonly locale?: string;
}

/** The OAuth 2.0 access tokens that Okta sends to `/telephony`. */
export interface JwtProps {
  /** A custom authorization server of Okta, such as `https://example.okta.com/oauth2/aus1`. */
  readonly issuer: string;
  readonly audience: string;
  /** The one scope that a token must have. The gateway and the function check it. */
  readonly scope: string;
  /**
   * Client id of the Okta app whose tokens are accepted.
   * @default - every client with the scope
   */
  readonly clientId?: string;
}

/** Access to Okta's API, for numbers of verifications that the sends table does not have. */
export interface OktaProps {
  /** URL of the Okta org, without `-admin`. */
  readonly orgUrl: string;
  /** The Okta secret. docs/okta-setup.md says what it holds. */
  readonly secret: secretsmanager.ISecret;
  /**
   * URL to use instead of Okta's API, for a proxy or a test.
   * @default - the org's URL
   */
  readonly apiUrl?: string;
}

/** The maximum number of requests to a route. Others get 429. */
export interface ThrottleProps {
  /** Requests per second. */
  readonly rateLimit: number;
  /** Burst of requests. */
  readonly burstLimit: number;
}

/** Your own domain for both URLs. It disables the gateway's own address. */
export interface DomainProps {
  /** Such as `hooks.example.com`. */
  readonly name: string;
  /** In the region of the stack. */
  readonly certificate: acm.ICertificate;
  /**
   * Route 53 zone for the record.
   * @default - you create the record yourself
   */
  readonly hostedZone?: route53.IHostedZone;
}

/** The functions' code. */
export interface CodeProps {
  /** Zip of telephony-hook. Needed unless `hooks` is `events`. */
  readonly telephony?: lambda.Code;
  /** Zip of event-hook. Needed unless `hooks` is `telephony`. */
  readonly event?: lambda.Code;
}

/**
 * Properties of {@link OktaTwilioHooks}. Each but `code` has a default, and each does the same as the SAM template's
 * parameter of that name. The README of the project explains the variables behind them.
 */
export interface OktaTwilioHooksProps {
  // What to deploy.

  /** The functions' zips: those of a release, or of `make build`. They must fit `architecture`. */
  readonly code: CodeProps;
  /**
   * The hooks that the stack serves. `events` needs `okta`, or the `sendsTable` of another stack.
   * @default 'both'
   */
  readonly hooks?: Hooks;
  /** @default Architecture.ARM_64 */
  readonly architecture?: lambda.Architecture;
  /**
   * Memory of each function in MB. CPU grows with it; below 512 MB the TLS handshakes of a cold start get slow.
   * @default 512
   */
  readonly memorySize?: number;
  /**
   * How an update moves the traffic to the new version, after a check that sends nothing.
   * @default LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES
   */
  readonly deploymentConfig?: codedeploy.ILambdaDeploymentConfig;
  /**
   * Whether alarms roll an update back. An alarm that is already in ALARM stops an update, so set this to `false` to deploy
   * the fix.
   * @default true
   */
  readonly rollBackOnAlarms?: boolean;

  // Secrets and keys.

  /**
   * An existing hooks secret.
   * @default - a new one with a generated `auth_secret`; fill in the rest with `make secrets`
   */
  readonly hooksSecret?: secretsmanager.ISecret;
  /**
   * Time that a fetched secret is used before it is refreshed.
   * @default Duration.minutes(5)
   */
  readonly secretTtl?: Duration;
  /**
   * Key that encrypts what the construct creates: secret, queues, table, logs. Its policy must let CloudWatch Logs of
   * this region use it.
   * @default - AWS's own keys
   */
  readonly encryptionKey?: kms.IKey;
  /**
   * Key of the imported secrets, if it is your own key and not `encryptionKey`.
   * @default - AWS's own key
   */
  readonly secretsEncryptionKey?: kms.IKey;

  // How Okta authenticates.

  /**
   * Tokens instead of the shared secret at `/telephony`. Event hooks always use the shared secret.
   * @default - the shared secret
   */
  readonly jwt?: JwtProps;
  /**
   * Name of the header with the shared secret.
   * @default 'auth_secret'
   */
  readonly authHeader?: string;

  // Sending codes.

  /**
   * Sid of the Verify service (VA…).
   * @default - `verify_service_sid` of the hooks secret
   */
  readonly verifyServiceSid?: string;
  /**
   * Channel for Okta's SMS deliveries. WhatsApp falls back to SMS.
   * @default 'sms'
   */
  readonly smsChannel?: 'sms' | 'whatsapp';
  /**
   * Language of the messages: `okta` is the user's, `auto` leaves it to Twilio, otherwise one of Twilio's locales.
   * @default 'okta'
   */
  readonly verifyLocale?: string;
  /**
   * Sid of a Verify template (HJ…).
   * @default - the service's template
   */
  readonly verifyTemplateSid?: string;
  /**
   * Rate limits of the Verify service to fill, by their unique names.
   * @default - none
   */
  readonly verifyRateLimits?: Record<string, RateLimitSource>;
  /**
   * Channel, template and locale by ISO code of the country; `*` stands for all others.
   * @default - none
   */
  readonly countryRules?: Record<string, CountryRule>;
  /**
   * Channels of the second, third … code that a user asks for within ten minutes.
   * @default - the first code's channel
   */
  readonly resendChannels?: Channel[];
  /**
   * Whether a pending verification is cancelled before a new code is sent. This resets Twilio's limit of five sends: set
   * `verifyRateLimits` too.
   * @default false
   */
  readonly replacePending?: boolean;
  /**
   * Time for all calls to Twilio, from the gateway's time of the request.
   * @default Duration.millis(2600)
   */
  readonly hookBudget?: Duration;

  // Deciding before sending.

  /**
   * Whether the policy acts (`enforce`), or only logs and counts what it would refuse (`observe`).
   * @default 'enforce'
   */
  readonly policyMode?: 'enforce' | 'observe';
  /**
   * Response to Okta after a refusal. After `error` Okta uses its own provider; after `swallow` no message is sent.
   * @default 'error'
   */
  readonly denyResponse?: 'error' | 'swallow';
  /**
   * ISO codes of the only countries that receive codes. `001` stands for numbers of no country.
   * @default - all countries
   */
  readonly allowedCountries?: string[];
  /**
   * ISO codes of countries that receive no codes.
   * @default - none
   */
  readonly blockedCountries?: string[];
  /**
   * Data to request from Twilio Lookup: `basic` is free, or packages such as `line_type_intelligence`.
   * @default - Lookup is not used
   */
  readonly lookupFields?: string[];
  /**
   * Timeout of Lookup, after which the code is sent without it.
   * @default Duration.millis(700)
   */
  readonly lookupTimeout?: Duration;
  /**
   * ISO code of the country with which Lookup completes a national number.
   * @default - none
   */
  readonly defaultCountry?: string;
  /**
   * Twilio's line types that receive no codes. Needs `line_type_intelligence`.
   * @default - none
   */
  readonly blockedLineTypes?: string[];
  /**
   * Names of carriers or MCC-MNC pairs that receive no codes. Needs `line_type_intelligence`.
   * @default - none
   */
  readonly blockedCarriers?: string[];
  /**
   * Highest SMS pumping risk score at which a code is sent, 0 to 100. Needs `sms_pumping_risk`.
   * @default - no limit
   */
  readonly maxSmsPumpingRisk?: number;
  /**
   * A number whose SIM was swapped within this time receives no code. Whole hours. Needs `sim_swap`.
   * @default - no limit
   */
  readonly maxSimSwapAge?: Duration;
  /**
   * Whether an SMS to a landline becomes a voice call. Needs `line_type_intelligence`.
   * @default false
   */
  readonly landlineToCall?: boolean;
  /**
   * Request types that are exempt from the policy, such as `account-unlock`.
   * @default - none
   */
  readonly policyExemptRequestTypes?: string[];

  // Feedback.

  /**
   * Another stack's sends table.
   * @default - a new one, unless `hooks` is `events`
   */
  readonly sendsTable?: dynamodb.ITable;
  /**
   * Whether feedback goes through a queue, so that none is lost. Otherwise event-hook sends it during Okta's delivery.
   * @default true
   */
  readonly feedbackQueue?: boolean;
  /**
   * Time after which an event is too old to approve a verification by phone number.
   * @default Duration.minutes(10)
   */
  readonly feedbackMaxAge?: Duration;
  /**
   * Okta API that supplies the user's number if the sends table does not have the verification.
   * @default - event-hook decides
   */
  readonly phoneSource?: PhoneSource;
  /**
   * Access to Okta's API.
   * @default - Okta is not used
   */
  readonly okta?: OktaProps;

  // API Gateway.

  /** @default - 25 requests per second, bursts of 50 */
  readonly telephonyThrottle?: ThrottleProps;
  /** @default - 25 requests per second, bursts of 50 */
  readonly eventsThrottle?: ThrottleProps;
  /**
   * Your own domain.
   * @default - the gateway's address
   */
  readonly domain?: DomainProps;

  // Capacity.

  /**
   * Instances of telephony-hook that are kept warm.
   * @default - none
   */
  readonly provisionedConcurrency?: number;
  /**
   * Maximum number of warm instances, scaled by use. Needs `provisionedConcurrency`.
   * @default - no scaling
   */
  readonly maxProvisionedConcurrency?: number;
  /**
   * Concurrency reserved for telephony-hook from the account's pool. It is also a limit.
   * @default - none
   */
  readonly telephonyReservedConcurrency?: number;
  /**
   * Concurrency reserved for event-hook from the account's pool. It is also a limit.
   * @default - none
   */
  readonly eventReservedConcurrency?: number;
  /**
   * Batches of the feedback queue that event-hook processes at once. Five process about 125 successful codes a second.
   * @default 5
   */
  readonly feedbackConcurrency?: number;

  // Monitoring.

  /**
   * E-mail address for the alarms, through a new topic unless `alarmTopic` is set.
   * @default - none
   */
  readonly alarmEmail?: string;
  /**
   * Topic for the alarms.
   * @default - none
   */
  readonly alarmTopic?: sns.ITopic;
  /**
   * Warn when the AWS account spends 80 percent of this in a month, in USD, or is forecast to spend it all. Twilio's bill
   * is not included. Needs `alarmEmail` or `alarmTopic`.
   * @default - no budget
   */
  readonly monthlyBudgetUsd?: number;
  /**
   * Minimum level of the log events to write. Metrics are always written.
   * @default 'info'
   */
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug';
  /** @default RetentionDays.ONE_MONTH */
  readonly logRetention?: logs.RetentionDays;
  /**
   * Value of the metrics' dimension `Stack`.
   * @default - the stack's name, which keeps the metrics of two stacks apart
   */
  readonly metricsStack?: string;

  // Tests and proxies.

  /** URL to use instead of Twilio Verify's. */
  readonly twilioVerifyUrl?: string;
  /** URL to use instead of Twilio Lookup's. */
  readonly twilioLookupUrl?: string;
  /** PEM file of further trusted roots. The files of `extraCaLayer` are in `/opt`. */
  readonly extraCaFile?: string;
  /** Layer with the file of `extraCaFile`. */
  readonly extraCaLayer?: lambda.ILayerVersion;
}

/** Fails for the same combinations as the SAM template's rules. */
export function check(props: OktaTwilioHooksProps): void {
  const hooks = props.hooks ?? 'both';
  const faults = [
    hooks !== 'events' && !props.code.telephony && 'code.telephony is missing',
    hooks !== 'telephony' && !props.code.event && 'code.event is missing',
    hooks === 'events' && !props.sendsTable && !props.okta && "hooks 'events' needs okta, or the sendsTable of another stack",
    props.phoneSource && props.phoneSource !== 'none' && !props.okta && 'this phoneSource needs okta',
    props.monthlyBudgetUsd && !props.alarmEmail && !props.alarmTopic && 'monthlyBudgetUsd needs alarmEmail or alarmTopic',
    props.maxProvisionedConcurrency && !props.provisionedConcurrency && 'maxProvisionedConcurrency needs provisionedConcurrency',
    props.extraCaLayer && !props.extraCaFile && 'extraCaLayer needs extraCaFile',
  ].filter(Boolean);
  if (faults.length > 0) {
    throw new Error(`OktaTwilioHooks: ${faults.join('; ')}`);
  }
}
