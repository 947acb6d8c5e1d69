import type { CameraState } from '../../../common/domain/health.ts';

/** A shape for each state: colour alone says nothing to many people. */
const SHAPES: Readonly<Record<CameraState, string>> = {
  online: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Z',
  degraded: 'M6 1 11.5 11H.5Z',
  frozen:
    'M5.2 0h1.6v4.4L10.6 2.2l.8 1.4L7.6 6l3.8 2.4-.8 1.4L6.8 7.6V12H5.2V7.6L1.4 9.8l-.8-1.4L4.4 6 .6 3.6l.8-1.4 3.8 2.2Z',
  black: 'M1 1h10v10H1Z',
  placeholder: 'M0 2h12v8H0ZM1.5 3.5v5h9v-5ZM3 5.2h6v1.6H3Z',
  offline: 'M2.4 1 6 4.6 9.6 1 11 2.4 7.4 6 11 9.6 9.6 11 6 7.4 2.4 11 1 9.6 4.6 6 1 2.4Z',
  unknown: 'M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 1.7a3.3 3.3 0 1 1 0 6.6 3.3 3.3 0 0 1 0-6.6Z',
  paused: 'M2 1h3v10H2ZM7 1h3v10H7Z',
};

/** What each state means, for titles and legends. */
export const STATE_WORDS: Readonly<Record<CameraState, string>> = {
  online: 'pictures come and show something',
  degraded: 'it answers, but what comes is of no use, or only now and then',
  frozen: 'the picture does not change any more',
  black: 'the picture is black',
  placeholder: 'its host shows a card in the place of a picture',
  offline: 'no picture comes',
  unknown: 'nothing certain is known',
  paused: 'an operator wants no pictures of it now',
};

export function StateMark({ state }: { state: CameraState }) {
  return (
    <svg className={`mark state-${state}`} viewBox="0 0 12 12" width="11" height="11" aria-hidden="true">
      <path d={SHAPES[state]} fillRule="evenodd" fill="currentColor" />
    </svg>
  );
}

export function StateBadge({ state, title }: { state: CameraState; title?: string }) {
  return (
    <span className={`state state-${state}`} title={title ?? STATE_WORDS[state]}>
      <StateMark state={state} />
      {state}
    </span>
  );
}
