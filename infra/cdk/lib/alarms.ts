import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';

/** The part of the stack that an alarm or a query is about. */
export type Part = 'always' | 'telephony' | 'events' | 'queue' | 'lookup';

/** The names in the metrics' dimensions. */
export interface Names {
  readonly metricsStack: string;
  readonly api: string;
  readonly telephonyFunction: string;
  readonly eventFunction: string;
  readonly queue: string;
  readonly deadLetterQueue: string;
}

interface Definition {
  readonly id: string;
  readonly of: Part;
  /** The problem that the users have. */
  readonly description: string;
  /** The entry of docs/runbook.md. */
  readonly runbook: string;
  readonly metric: Metric;
  readonly limit: Limit;
}

interface Metric {
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensionsMap: Record<string, string>;
}

/** The alarm fires when `breaching` of the last `of` periods are above. Without these two, one period is enough. */
interface Limit {
  readonly statistic: string;
  readonly above: number;
  /** The length of a period. */
  readonly seconds: number;
  readonly breaching?: number;
  readonly of?: number;
}

/** Makes the alarms of these parts, by their ids. None fires without traffic. */
export function addAlarms(scope: Construct, parts: Set<Part>, names: Names): Map<string, cloudwatch.Alarm> {
  const made = definitions(names).filter((each) => parts.has(each.of));
  return new Map(made.map((each) => [each.id, newAlarm(scope, each)]));
}

function newAlarm(scope: Construct, { id, description, runbook, metric, limit }: Definition): cloudwatch.Alarm {
  return new cloudwatch.Alarm(scope, id, {
    alarmDescription: `${description} docs/runbook.md#${runbook}`,
    metric: new cloudwatch.Metric({ ...metric, statistic: limit.statistic, period: Duration.seconds(limit.seconds) }),
    datapointsToAlarm: limit.breaching ?? 1,
    evaluationPeriods: limit.of ?? 1,
    threshold: limit.above,
    comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
  });
}

function definitions(names: Names): Definition[] {
  const ofHook = (metricName: string, hook: string, reason?: string): Metric => ({
    namespace: 'OktaTwilio',
    metricName,
    dimensionsMap: { Stack: names.metricsStack, Hook: hook, ...(reason && { Reason: reason }) },
  });
  const ofFunction = (metricName: string, name: string): Metric => ({
    namespace: 'AWS/Lambda',
    metricName,
    dimensionsMap: { FunctionName: name },
  });
  const ofGateway = (metricName: string): Metric => ({ namespace: 'AWS/ApiGateway', metricName, dimensionsMap: { ApiId: names.api } });
  const ofQueue = (metricName: string, name: string): Metric => ({ namespace: 'AWS/SQS', metricName, dimensionsMap: { QueueName: name } });
  return [
    {
      id: 'SendFailuresAlarm',
      of: 'telephony',
      description:
        'Codes do not go out: more than one in twenty fails at Twilio, on the way to Twilio or here, for a ' +
        "cause that is not the user's. Users wait, and Okta sends what it can itself.",
      runbook: 'alarm-send-failures',
      metric: ofHook('SendErrors', 'telephony-hook'),
      limit: { statistic: 'Average', above: 0.05, seconds: 60, breaching: 3, of: 5 },
    },
    {
      id: 'SendLatencyAlarm',
      of: 'telephony',
      description:
        'Codes go out late: one request in twenty to telephony-hook takes more than 2 s. At 3 s Okta gives up ' +
        'and sends a second code, or none.',
      runbook: 'alarm-send-latency',
      metric: ofHook('HookLatency', 'telephony-hook'),
      limit: { statistic: 'p95', above: 2000, seconds: 300, breaching: 2, of: 3 },
    },
    {
      id: 'TelephonyErrorsAlarm',
      of: 'telephony',
      description:
        'telephony-hook crashes, runs out of time or does not start. Okta gets no response for these users.',
      runbook: 'alarm-function-errors',
      metric: ofFunction('Errors', names.telephonyFunction),
      limit: { statistic: 'Sum', above: 0, seconds: 60 },
    },
    {
      id: 'EventErrorsAlarm',
      of: 'events',
      description:
        'event-hook crashes, runs out of time or does not start. Feedback to Twilio waits in the queue, or in ' +
        'Okta.',
      runbook: 'alarm-function-errors',
      metric: ofFunction('Errors', names.eventFunction),
      limit: { statistic: 'Sum', above: 0, seconds: 60 },
    },
    {
      id: 'TelephonyThrottlesAlarm',
      of: 'telephony',
      description:
        "Lambda rejects requests to telephony-hook, because its concurrency or the account's is used up. Okta " +
        'sends these codes itself, or not at all.',
      runbook: 'alarm-throttles',
      metric: ofFunction('Throttles', names.telephonyFunction),
      limit: { statistic: 'Sum', above: 0, seconds: 300 },
    },
    {
      id: 'EventThrottlesAlarm',
      of: 'events',
      description:
        "Lambda rejects invocations of event-hook, because its concurrency or the account's is used up. " +
        'Feedback to Twilio is delayed.',
      runbook: 'alarm-throttles',
      metric: ofFunction('Throttles', names.eventFunction),
      limit: { statistic: 'Sum', above: 0, seconds: 300, breaching: 3, of: 3 },
    },
    {
      id: 'GatewayErrorsAlarm',
      of: 'always',
      description:
        'The URLs respond with 5xx. The functions have no usable secret, or cannot be reached; codes and ' +
        'feedback do not arrive.',
      runbook: 'alarm-gateway-errors',
      metric: ofGateway('5xx'),
      limit: { statistic: 'Sum', above: 5, seconds: 300 },
    },
    {
      id: 'GatewayRefusalsAlarm',
      of: 'always',
      description:
        'The gateway and the functions reject many requests with 4xx: wrong tokens or secrets, or more requests ' +
        'than the throttle allows. During a real peak, users get no code.',
      runbook: 'alarm-gateway-refusals',
      metric: ofGateway('4xx'),
      limit: { statistic: 'Sum', above: 100, seconds: 300 },
    },
    {
      id: 'TelephonyAuthenticationAlarm',
      of: 'telephony',
      description:
        "Requests to /telephony fail authentication. Okta's secret or scope differs from yours and users get no " +
        'code, or someone else is calling.',
      runbook: 'alarm-authentication',
      metric: ofHook('Rejected', 'telephony-hook', 'not_authenticated'),
      limit: { statistic: 'Sum', above: 10, seconds: 300 },
    },
    {
      id: 'EventAuthenticationAlarm',
      of: 'events',
      description:
        "Requests to /events have a wrong secret. Okta's secret differs from yours and feedback stops, or " +
        'someone else is calling.',
      runbook: 'alarm-authentication',
      metric: ofHook('Rejected', 'event-hook', 'not_authenticated'),
      limit: { statistic: 'Sum', above: 10, seconds: 300 },
    },
    {
      id: 'FraudAlarm',
      of: 'telephony',
      description:
        "Twilio's Fraud Guard blocks numbers. An attacker may be pumping SMS through your sign-in page, or a " +
        'genuine prefix is blocked and its users get no code.',
      runbook: 'alarm-fraud',
      metric: ofHook('Sends', 'telephony-hook', 'blocked_as_fraud'),
      limit: { statistic: 'Sum', above: 5, seconds: 900 },
    },
    {
      id: 'CountryBlockAlarm',
      of: 'telephony',
      description:
        "Twilio's Geo Permissions block countries for which users request codes. These users get no code from " +
        'Twilio.',
      runbook: 'alarm-country-block',
      metric: ofHook('Sends', 'telephony-hook', 'country_blocked_by_twilio'),
      limit: { statistic: 'Sum', above: 5, seconds: 900 },
    },
    {
      id: 'LookupFailuresAlarm',
      of: 'lookup',
      description:
        'Twilio Lookup does not respond. Codes go out, but the rules that need Lookup allow every number.',
      runbook: 'alarm-lookup-failures',
      metric: ofHook('LookupFailures', 'telephony-hook'),
      limit: { statistic: 'Sum', above: 5, seconds: 900 },
    },
    {
      id: 'PausedAlarm',
      of: 'telephony',
      description:
        'Sending is paused by the hooks secret, for some users or for all. They get no code from Twilio.',
      runbook: 'alarm-paused',
      metric: ofHook('Sends', 'telephony-hook', 'paused'),
      limit: { statistic: 'Sum', above: 0, seconds: 300 },
    },
    {
      id: 'FeedbackDelayAlarm',
      of: 'events',
      description:
        'Twilio learns too late which codes were right: one approval in twenty comes more than 5 minutes after ' +
        "the sign-in. Users who sign in often reach Twilio's limit of five codes in ten minutes.",
      runbook: 'alarm-feedback-delay',
      metric: ofHook('FeedbackDelay', 'event-hook'),
      limit: { statistic: 'p95', above: 300000, seconds: 300, breaching: 2, of: 3 },
    },
    {
      id: 'QueueAgeAlarm',
      of: 'queue',
      description:
        'Feedback has been waiting in the queue for more than 10 minutes. Twilio does not learn which codes ' +
        'were right; users who sign in often reach its limit of five codes.',
      runbook: 'alarm-queue-age',
      metric: ofQueue('ApproximateAgeOfOldestMessage', names.queue),
      limit: { statistic: 'Maximum', above: 600, seconds: 300, breaching: 2, of: 2 },
    },
    {
      id: 'DeadLettersAlarm',
      of: 'queue',
      description:
        'Feedback failed eight times and stays in the dead-letter queue for 14 days. Twilio did not learn about ' +
        'these sign-ins.',
      runbook: 'alarm-dead-letters',
      metric: ofQueue('ApproximateNumberOfMessagesVisible', names.deadLetterQueue),
      limit: { statistic: 'Maximum', above: 0, seconds: 300 },
    },
    {
      id: 'TelephonySecretAlarm',
      of: 'telephony',
      description:
        'telephony-hook cannot refresh a secret. It keeps the old value if it has one; otherwise it refuses ' +
        'every request.',
      runbook: 'alarm-secret-refresh',
      metric: ofHook('SecretRefreshFailures', 'telephony-hook'),
      limit: { statistic: 'Sum', above: 2, seconds: 900 },
    },
    {
      id: 'TelephonyTableAlarm',
      of: 'telephony',
      description:
        'telephony-hook cannot use the sends table. Codes go out, but their feedback has to find the number ' +
        'through Okta, and RESEND_CHANNELS starts over.',
      runbook: 'alarm-table-failures',
      metric: ofHook('TableFailures', 'telephony-hook'),
      limit: { statistic: 'Sum', above: 4, seconds: 900 },
    },
    {
      id: 'EventSecretAlarm',
      of: 'events',
      description:
        'event-hook cannot refresh a secret. It keeps the old value if it has one; otherwise it refuses every ' +
        'request.',
      runbook: 'alarm-secret-refresh',
      metric: ofHook('SecretRefreshFailures', 'event-hook'),
      limit: { statistic: 'Sum', above: 2, seconds: 900 },
    },
    {
      id: 'EventTableAlarm',
      of: 'events',
      description:
        'event-hook cannot use the sends table. Feedback waits in the queue until the table responds.',
      runbook: 'alarm-table-failures',
      metric: ofHook('TableFailures', 'event-hook'),
      limit: { statistic: 'Sum', above: 4, seconds: 900 },
    },
  ];
}
