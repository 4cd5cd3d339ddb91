export { OktaTwilioHooks } from './okta-twilio-hooks';
export {
  Channel,
  CodeProps,
  CountryRule,
  DomainProps,
  Hooks,
  JwtProps,
  OktaProps,
  OktaTwilioHooksProps,
  PhoneSource,
  RateLimitSource,
  ThrottleProps,
} from './props';
