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
  readonly metric: { namespace: string; metricName: string; dimensions: Record<string, string> };
  readonly statistic: string;
  readonly period: Duration;
  /** The number of breaching periods, and the number of periods to evaluate. */
  readonly breaching: [number, number];
  readonly above: number;
}

/** Makes the alarms of these parts, by their ids. None fires without traffic. */
export function addAlarms(scope: Construct, parts: Set<Part>, names: Names): Map<string, cloudwatch.Alarm> {
  const made = definitions(names).filter((each) => parts.has(each.of));
  return new Map(made.map((each) => [each.id, alarm(scope, each, names)]));
}

function alarm(scope: Construct, definition: Definition, names: Names): cloudwatch.Alarm {
  const { namespace, metricName, dimensions } = definition.metric;
  const own: Record<string, string> = namespace === 'OktaTwilio' ? { Stack: names.metricsStack } : {};
  const [datapointsToAlarm, evaluationPeriods] = definition.breaching;
  return new cloudwatch.Alarm(scope, definition.id, {
    alarmDescription: `${definition.description} docs/runbook.md#${definition.runbook}`,
    metric: new cloudwatch.Metric({
      namespace,
      metricName,
      dimensionsMap: { ...own, ...dimensions },
      statistic: definition.statistic,
      period: definition.period,
    }),
    datapointsToAlarm,
    evaluationPeriods,
    threshold: definition.above,
    comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
  });
}

function definitions(names: Names): Definition[] {
  return [
    {
      id: 'SendFailuresAlarm',
      of: 'telephony',
      description:
        'Codes do not go out: more than one in twenty fails at Twilio, on the way to Twilio or here, for a ' +
        "cause that is not the user's. Users wait, and Okta sends what it can itself.",
      runbook: 'alarm-send-failures',
      metric: { namespace: 'OktaTwilio', metricName: 'SendErrors', dimensions: { Hook: 'telephony-hook' } },
      statistic: 'Average',
      period: Duration.seconds(60),
      breaching: [3, 5],
      above: 0.05,
    },
    {
      id: 'SendLatencyAlarm',
      of: 'telephony',
      description:
        'Codes go out late: one request in twenty to telephony-hook takes more than 2 s. At 3 s Okta gives up ' +
        'and sends a second code, or none.',
      runbook: 'alarm-send-latency',
      metric: { namespace: 'OktaTwilio', metricName: 'HookLatency', dimensions: { Hook: 'telephony-hook' } },
      statistic: 'p95',
      period: Duration.seconds(300),
      breaching: [2, 3],
      above: 2000,
    },
    {
      id: 'TelephonyErrorsAlarm',
      of: 'telephony',
      description:
        'telephony-hook crashes, runs out of time or does not start. Okta gets no response for these users.',
      runbook: 'alarm-function-errors',
      metric: { namespace: 'AWS/Lambda', metricName: 'Errors', dimensions: { FunctionName: names.telephonyFunction } },
      statistic: 'Sum',
      period: Duration.seconds(60),
      breaching: [1, 1],
      above: 0,
    },
    {
      id: 'EventErrorsAlarm',
      of: 'events',
      description:
        'event-hook crashes, runs out of time or does not start. Feedback to Twilio waits in the queue, or in ' +
        'Okta.',
      runbook: 'alarm-function-errors',
      metric: { namespace: 'AWS/Lambda', metricName: 'Errors', dimensions: { FunctionName: names.eventFunction } },
      statistic: 'Sum',
      period: Duration.seconds(60),
      breaching: [1, 1],
      above: 0,
    },
    {
      id: 'TelephonyThrottlesAlarm',
      of: 'telephony',
      description:
        "Lambda rejects requests to telephony-hook, because its concurrency or the account's is used up. Okta " +
        'sends these codes itself, or not at all.',
      runbook: 'alarm-throttles',
      metric: { namespace: 'AWS/Lambda', metricName: 'Throttles', dimensions: { FunctionName: names.telephonyFunction } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 0,
    },
    {
      id: 'EventThrottlesAlarm',
      of: 'events',
      description:
        "Lambda rejects invocations of event-hook, because its concurrency or the account's is used up. " +
        'Feedback to Twilio is delayed.',
      runbook: 'alarm-throttles',
      metric: { namespace: 'AWS/Lambda', metricName: 'Throttles', dimensions: { FunctionName: names.eventFunction } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [3, 3],
      above: 0,
    },
    {
      id: 'GatewayErrorsAlarm',
      of: 'always',
      description:
        'The URLs respond with 5xx. The functions have no usable secret, or cannot be reached; codes and ' +
        'feedback do not arrive.',
      runbook: 'alarm-gateway-errors',
      metric: { namespace: 'AWS/ApiGateway', metricName: '5xx', dimensions: { ApiId: names.api } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 5,
    },
    {
      id: 'GatewayRefusalsAlarm',
      of: 'always',
      description:
        'The gateway and the functions reject many requests with 4xx: wrong tokens or secrets, or more requests ' +
        'than the throttle allows. During a real peak, users get no code.',
      runbook: 'alarm-gateway-refusals',
      metric: { namespace: 'AWS/ApiGateway', metricName: '4xx', dimensions: { ApiId: names.api } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 100,
    },
    {
      id: 'TelephonyAuthenticationAlarm',
      of: 'telephony',
      description:
        "Requests to /telephony fail authentication. Okta's secret or scope differs from yours and users get no " +
        'code, or someone else is calling.',
      runbook: 'alarm-authentication',
      metric: { namespace: 'OktaTwilio', metricName: 'Rejected', dimensions: { Hook: 'telephony-hook', Reason: 'not_authenticated' } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 10,
    },
    {
      id: 'EventAuthenticationAlarm',
      of: 'events',
      description:
        "Requests to /events have a wrong secret. Okta's secret differs from yours and feedback stops, or " +
        'someone else is calling.',
      runbook: 'alarm-authentication',
      metric: { namespace: 'OktaTwilio', metricName: 'Rejected', dimensions: { Hook: 'event-hook', Reason: 'not_authenticated' } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 10,
    },
    {
      id: 'FraudAlarm',
      of: 'telephony',
      description:
        "Twilio's Fraud Guard blocks numbers. An attacker may be pumping SMS through your sign-in page, or a " +
        'genuine prefix is blocked and its users get no code.',
      runbook: 'alarm-fraud',
      metric: { namespace: 'OktaTwilio', metricName: 'Sends', dimensions: { Hook: 'telephony-hook', Reason: 'blocked_as_fraud' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 5,
    },
    {
      id: 'CountryBlockAlarm',
      of: 'telephony',
      description:
        "Twilio's Geo Permissions block countries for which users request codes. These users get no code from " +
        'Twilio.',
      runbook: 'alarm-country-block',
      metric: { namespace: 'OktaTwilio', metricName: 'Sends', dimensions: { Hook: 'telephony-hook', Reason: 'country_blocked_by_twilio' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 5,
    },
    {
      id: 'LookupFailuresAlarm',
      of: 'lookup',
      description:
        'Twilio Lookup does not respond. Codes go out, but the rules that need Lookup allow every number.',
      runbook: 'alarm-lookup-failures',
      metric: { namespace: 'OktaTwilio', metricName: 'LookupFailures', dimensions: { Hook: 'telephony-hook' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 5,
    },
    {
      id: 'PausedAlarm',
      of: 'telephony',
      description:
        'Sending is paused by the hooks secret, for some users or for all. They get no code from Twilio.',
      runbook: 'alarm-paused',
      metric: { namespace: 'OktaTwilio', metricName: 'Sends', dimensions: { Hook: 'telephony-hook', Reason: 'paused' } },
      statistic: 'Sum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 0,
    },
    {
      id: 'FeedbackDelayAlarm',
      of: 'events',
      description:
        'Twilio learns too late which codes were right: one approval in twenty comes more than 5 minutes after ' +
        "the sign-in. Users who sign in often reach Twilio's limit of five codes in ten minutes.",
      runbook: 'alarm-feedback-delay',
      metric: { namespace: 'OktaTwilio', metricName: 'FeedbackDelay', dimensions: { Hook: 'event-hook' } },
      statistic: 'p95',
      period: Duration.seconds(300),
      breaching: [2, 3],
      above: 300000,
    },
    {
      id: 'QueueAgeAlarm',
      of: 'queue',
      description:
        'Feedback has been waiting in the queue for more than 10 minutes. Twilio does not learn which codes ' +
        'were right; users who sign in often reach its limit of five codes.',
      runbook: 'alarm-queue-age',
      metric: { namespace: 'AWS/SQS', metricName: 'ApproximateAgeOfOldestMessage', dimensions: { QueueName: names.queue } },
      statistic: 'Maximum',
      period: Duration.seconds(300),
      breaching: [2, 2],
      above: 600,
    },
    {
      id: 'DeadLettersAlarm',
      of: 'queue',
      description:
        'Feedback failed eight times and stays in the dead-letter queue for 14 days. Twilio did not learn about ' +
        'these sign-ins.',
      runbook: 'alarm-dead-letters',
      metric: { namespace: 'AWS/SQS', metricName: 'ApproximateNumberOfMessagesVisible', dimensions: { QueueName: names.deadLetterQueue } },
      statistic: 'Maximum',
      period: Duration.seconds(300),
      breaching: [1, 1],
      above: 0,
    },
    {
      id: 'TelephonySecretAlarm',
      of: 'telephony',
      description:
        'telephony-hook cannot refresh a secret. It keeps the old value if it has one; otherwise it refuses ' +
        'every request.',
      runbook: 'alarm-secret-refresh',
      metric: { namespace: 'OktaTwilio', metricName: 'SecretRefreshFailures', dimensions: { Hook: 'telephony-hook' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 2,
    },
    {
      id: 'TelephonyTableAlarm',
      of: 'telephony',
      description:
        'telephony-hook cannot use the sends table. Codes go out, but their feedback has to find the number ' +
        'through Okta, and RESEND_CHANNELS starts over.',
      runbook: 'alarm-table-failures',
      metric: { namespace: 'OktaTwilio', metricName: 'TableFailures', dimensions: { Hook: 'telephony-hook' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 4,
    },
    {
      id: 'EventSecretAlarm',
      of: 'events',
      description:
        'event-hook cannot refresh a secret. It keeps the old value if it has one; otherwise it refuses every ' +
        'request.',
      runbook: 'alarm-secret-refresh',
      metric: { namespace: 'OktaTwilio', metricName: 'SecretRefreshFailures', dimensions: { Hook: 'event-hook' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 2,
    },
    {
      id: 'EventTableAlarm',
      of: 'events',
      description:
        'event-hook cannot use the sends table. Feedback waits in the queue until the table responds.',
      runbook: 'alarm-table-failures',
      metric: { namespace: 'OktaTwilio', metricName: 'TableFailures', dimensions: { Hook: 'event-hook' } },
      statistic: 'Sum',
      period: Duration.seconds(900),
      breaching: [1, 1],
      above: 4,
    },  ];
}
