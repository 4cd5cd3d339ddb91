import { CfnOutput, Stack, StackProps } from 'aws-cdk-lib';
import { Construct } from 'constructs';

import { OktaTwilioHooks, OktaTwilioHooksProps } from '../lib';
import { Parameters, propsFor } from './parameters';

/** A stack with nothing but the hooks. Its outputs are those of the SAM template, so `make secrets` and `make smoke` find it. */
export class OktaTwilioStack extends Stack {
  constructor(scope: Construct, id: string, code: OktaTwilioHooksProps['code'], get: Parameters, props?: StackProps) {
    super(scope, id, props);
    const hooksProps = propsFor(this, get, code);
    const hooks = new OktaTwilioHooks(this, 'Hooks', hooksProps);
    const url = hooks.telephonyUrl ?? hooks.eventsUrl;
    const outputs: [string, string, string | undefined][] = [
      ['TelephonyUrl', "URL of Okta's telephony inline hook", hooks.telephonyUrl],
      ['EventsUrl', "URL of Okta's event hook", hooks.eventsUrl],
      ['HooksSecretArn', 'The hooks secret. Requests get 503 until it has Twilio credentials.', hooks.hooksSecret.secretArn],
      ['OktaSecretArn', 'The Okta secret; make secrets WHICH=okta fills it in', hooksProps.okta?.secret.secretArn],
      ['FeedbackQueueUrl', 'Queue of the feedback', hooks.feedbackQueue?.queueUrl],
      [
        'FeedbackDeadLetterQueueUrl',
        'Queue of the feedback that failed eight times; make redrive puts it back',
        hooks.feedbackDeadLetterQueue?.queueUrl,
      ],
      ['SendsTableName', "The sends table, with each user's verification", hooks.sendsTable?.tableName],
      ['DashboardUrl', 'The dashboard', hooks.dashboardUrl],
      ['TelephonyLogGroupName', 'Log of telephony-hook', hooks.telephonyLogGroup?.logGroupName],
      ['EventLogGroupName', 'Log of event-hook', hooks.eventLogGroup?.logGroupName],
      [
        'NextSteps',
        'What to do now',
        `1. make secrets  2. make smoke URL=${url}  3. docs/deploy.md: enter the URLs and auth_secret in Okta`,
      ],
    ];
    for (const [name, description, value] of outputs) {
      if (value !== undefined) {
        new CfnOutput(this, name, { description, value });
      }
    }
  }
}
