import { describe, expect, test } from 'vitest';
import { Pictures } from '../../../../agent/report/pictures.ts';

const bytes = (length: number): Buffer => Buffer.alloc(length);

describe('pictures that can still be sent', () => {
  test('the oldest are dropped when there is no room', () => {
    const pictures = new Pictures(100);
    for (const camera of [1, 2, 3]) pictures.put(camera, `digest-${camera}`, bytes(40));
    expect(pictures.get('digest-1')).toBeUndefined();
    expect(pictures.newestOf(3)?.digest).toBe('digest-3');
    expect(pictures.size).toBe(80);
  });

  test('a picture that no fragment names stays while it is the newest of any camera', () => {
    const pictures = new Pictures(100);
    pictures.put(1, 'card', bytes(10));
    pictures.put(2, 'card', bytes(10));
    expect(pictures.size).toBe(10);
    pictures.put(1, 'street', bytes(10));
    pictures.forget('card');
    expect(pictures.newestOf(2)?.digest).toBe('card');
    pictures.forgetCamera(2);
    expect(pictures.get('card')).toBeUndefined();
    expect(pictures.size).toBe(10);
  });

  test('a camera that goes takes its picture with it', () => {
    const pictures = new Pictures(100);
    pictures.put(1, 'street', bytes(10));
    pictures.put(1, 'street', bytes(10));
    pictures.forgetCamera(1);
    expect(pictures.newestOf(1)).toBeUndefined();
    expect(pictures.size).toBe(0);
  });
});
