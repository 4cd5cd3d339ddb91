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

/** Which of Okta's hooks the stack answers. */
export type Hooks = 'both' | 'telephony' | 'events';

/** A channel of Twilio Verify. */
export type Channel = 'sms' | 'whatsapp' | 'call';

/** What fills a rate limit of the Verify service. */
export type RateLimitSource = 'user_id' | 'phone' | 'ip' | 'request_type';

/** What Okta's API is asked for a user's number, in this order. */
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
   * @default - each client that has the scope
   */
  readonly clientId?: string;
}

/** Access to Okta's API, for numbers that the table of sends does not know. */
export interface OktaProps {
  /** URL of the Okta org, without `-admin`. */
  readonly orgUrl: string;
  /** The Okta secret. docs/okta-setup.md says what it holds. */
  readonly secret: secretsmanager.ISecret;
  /**
   * Another address of Okta's API, for a proxy or a test.
   * @default - the org's URL
   */
  readonly apiUrl?: string;
}

/** How many requests a route takes. More get 429. */
export interface ThrottleProps {
  /** Requests per second. */
  readonly rateLimit: number;
  /** Requests at one moment. */
  readonly burstLimit: number;
}

/** A domain of your own for both URLs. The gateway's own address is then off. */
export interface DomainProps {
  /** Such as `hooks.example.com`. */
  readonly name: string;
  /** In the region of the stack. */
  readonly certificate: acm.ICertificate;
  /**
   * Route 53 zone that gets the record.
   * @default - the record is left to you
   */
  readonly hostedZone?: route53.IHostedZone;
}

/** What a function runs. */
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
   * Which hooks the stack answers. `events` needs `okta`, or the `sendsTable` of another stack.
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
   * Whether alarms roll an update back. An alarm that rings already stops an update, so set this to `false` to deploy
   * what mends it.
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
   * Key of the secrets that are given, where it is a key of your own and not `encryptionKey`.
   * @default - AWS's own key
   */
  readonly secretsEncryptionKey?: kms.IKey;

  // How Okta proves itself.

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
   * What Okta hears of a refusal. After `error` it tries its own provider, after `swallow` nobody sends.
   * @default 'error'
   */
  readonly denyResponse?: 'error' | 'swallow';
  /**
   * ISO codes of the only countries that codes are sent to. `001` stands for numbers of no country.
   * @default - all countries
   */
  readonly allowedCountries?: string[];
  /**
   * ISO codes of countries that no code is sent to.
   * @default - none
   */
  readonly blockedCountries?: string[];
  /**
   * What Twilio Lookup is asked for: `basic` is free, or packages such as `line_type_intelligence`.
   * @default - Lookup is not asked
   */
  readonly lookupFields?: string[];
  /**
   * Time after which Lookup is given up and the code is sent without it.
   * @default Duration.millis(700)
   */
  readonly lookupTimeout?: Duration;
  /**
   * ISO code of the country with which Lookup completes a national number.
   * @default - none
   */
  readonly defaultCountry?: string;
  /**
   * Twilio's line types that no code is sent to. Needs `line_type_intelligence`.
   * @default - none
   */
  readonly blockedLineTypes?: string[];
  /**
   * Names of carriers or MCC-MNC pairs that no code is sent to. Needs `line_type_intelligence`.
   * @default - none
   */
  readonly blockedCarriers?: string[];
  /**
   * Highest risk score of SMS pumping that a code is sent to, 0 to 100. Needs `sms_pumping_risk`.
   * @default - no limit
   */
  readonly maxSmsPumpingRisk?: number;
  /**
   * A SIM that was swapped within this time gets no code. Whole hours. Needs `sim_swap`.
   * @default - no limit
   */
  readonly maxSimSwapAge?: Duration;
  /**
   * Whether an SMS to a landline becomes a voice call. Needs `line_type_intelligence`.
   * @default false
   */
  readonly landlineToCall?: boolean;
  /**
   * Request types that the policy lets pass, such as `account-unlock`.
   * @default - none
   */
  readonly policyExemptRequestTypes?: string[];

  // Feedback.

  /**
   * Another stack's table of sends.
   * @default - a new one, unless `hooks` is `events`
   */
  readonly sendsTable?: dynamodb.ITable;
  /**
   * Whether feedback goes through a queue, so that none is lost. Otherwise it is given within Okta's delivery.
   * @default true
   */
  readonly feedbackQueue?: boolean;
  /**
   * Time after which an event is too old to approve a verification by phone number.
   * @default Duration.minutes(10)
   */
  readonly feedbackMaxAge?: Duration;
  /**
   * Which Okta API names the user's number where the table of sends does not know the verification.
   * @default - event-hook decides
   */
  readonly phoneSource?: PhoneSource;
  /**
   * Access to Okta's API.
   * @default - Okta is not asked
   */
  readonly okta?: OktaProps;

  // Front door.

  /** @default - 25 requests a second, 50 at one moment */
  readonly telephonyThrottle?: ThrottleProps;
  /** @default - 25 requests a second, 50 at one moment */
  readonly eventsThrottle?: ThrottleProps;
  /**
   * A domain of your own.
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
   * Most instances that are kept warm, with scaling by use. Needs `provisionedConcurrency`.
   * @default - no scaling
   */
  readonly maxProvisionedConcurrency?: number;
  /**
   * Concurrency taken from the account's for telephony-hook alone; it is a limit too.
   * @default - none
   */
  readonly telephonyReservedConcurrency?: number;
  /**
   * Concurrency taken from the account's for event-hook alone; it is a limit too.
   * @default - none
   */
  readonly eventReservedConcurrency?: number;

  // Watching.

  /**
   * Address that gets the alarms, through a new topic unless `alarmTopic` is given.
   * @default - none
   */
  readonly alarmEmail?: string;
  /**
   * Topic that gets the alarms.
   * @default - none
   */
  readonly alarmTopic?: sns.ITopic;
  /**
   * Warn when the AWS account spends 80 percent of this in a month, in USD, or is forecast to spend it all. Twilio's bill
   * is not in it. Needs `alarmEmail` or `alarmTopic`.
   * @default - no budget
   */
  readonly monthlyBudgetUsd?: number;
  /**
   * Least serious log events that are written. Metrics are always written.
   * @default 'info'
   */
  readonly logLevel?: 'error' | 'warn' | 'info' | 'debug';
  /** @default RetentionDays.ONE_MONTH */
  readonly logRetention?: logs.RetentionDays;
  /**
   * Value of the metrics' dimension `Stack`.
   * @default - the stack's name, so that two stacks do not add up
   */
  readonly metricsStack?: string;

  // Tests and proxies.

  /** Another address of Twilio Verify. */
  readonly twilioVerifyUrl?: string;
  /** Another address of Twilio Lookup. */
  readonly twilioLookupUrl?: string;
  /** PEM file of further trusted roots. `/opt` holds what `extraCaLayer` brings. */
  readonly extraCaFile?: string;
  /** Layer with the file of `extraCaFile`. */
  readonly extraCaLayer?: lambda.ILayerVersion;
}

/** Fails on what the SAM template's rules refuse too. */
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
