import { Part } from './alarms';

/** Saved queries for the logs. */
export interface Query {
  readonly id: string;
  readonly of: Part;
  readonly name: string;
  readonly lines: string[];
}

export const QUERIES: Query[] = [
  { id: 'WhyNoCodeQuery', of: 'telephony', name: 'Why did this user get no code', lines: [
    'filter user_id = "00u..."',
    '| display timestamp, message, reason, channel, phone, twilio_code, advice, verification_sid, okta_event_id',
    '| sort timestamp desc',
    '| limit 100',
  ] },
  { id: 'ColdStartsQuery', of: 'always', name: 'Cold starts', lines: [
    'filter type = "platform.report" and ispresent(record.metrics.initDurationMs)',
    '| stats count(*) as cold_starts, pct(record.metrics.initDurationMs, 50) as p50_ms, max(record.metrics.initDurationMs) as max_ms by @log, bin(1h)',
  ] },
  { id: 'SlowestSendsQuery', of: 'telephony', name: 'Slowest sends', lines: [
    'filter message in ["otp_sent", "otp_failed"]',
    '| display timestamp, duration_ms, verify_ms, lookup_ms, attempts, cold_start, country, channel, reason',
    '| sort duration_ms desc',
    '| limit 50',
  ] },
  { id: 'RefusalsByCountryQuery', of: 'telephony', name: 'Refusals by country', lines: [
    'filter message in ["otp_refused", "would_refuse", "otp_failed"]',
    '| stats count(*) as codes by country, message, reason, twilio_code',
    '| sort codes desc',
  ] },
  { id: 'FeedbackByReasonQuery', of: 'events', name: 'Feedback by reason', lines: [
    'filter message in ["feedback_approved", "feedback_not_needed", "feedback_failed"]',
    '| stats count(*) as events, max(age_seconds) as oldest_seconds by message, reason, twilio_code',
    '| sort events desc',
  ] },
];
