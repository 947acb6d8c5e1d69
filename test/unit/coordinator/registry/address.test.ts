import { expect, test } from 'vitest';
import { cameraInputSchema } from '../../../../coordinator/registry/camera.ts';
import { fetchUrl, locate } from '../../../../coordinator/registry/address.ts';
import { BRANDS } from '../../../../config/brands.ts';

const addressOf = (fields: Record<string, unknown>, brands = BRANDS) =>
  locate(cameraInputSchema.parse({ source: 'test', ...fields }), { allowFiles: false, brands }).address;

test('an ip camera of a known brand needs no paths', () => {
  const address = addressOf({ host: '192.0.2.7', brand: 'axis' });
  expect(address).toMatchObject({
    kind: 'ip',
    snapshotPath: '/axis-cgi/jpg/image.cgi',
    videoPath: '/axis-cgi/mjpg/video.cgi',
  });
  expect(fetchUrl(address)).toBe('http://192.0.2.7/axis-cgi/jpg/image.cgi');
  const old = addressOf({ host: 'cam.example.org', port: 8080, brand: 'TRENDnet', model: 'TV-IP110W' });
  expect(fetchUrl(old)).toBe('http://cam.example.org:8080/cgi/jpg/image.cgi');
});

test('a path that is given is the only one', () => {
  const address = addressOf({ host: '192.0.2.7', brand: 'axis', videoPath: '/own.mjpg' });
  expect(address).toMatchObject({ snapshotPath: null, videoPath: '/own.mjpg' });
});

test('an unknown brand without paths is refused, with the brands that are known', () => {
  expect(() => addressOf({ host: '192.0.2.7', brand: 'Nobody' })).toThrow(
    /needs snapshotPath or videoPath .*Axis, Foscam/,
  );
  expect(() => addressOf({ host: '192.0.2.7' }, [])).toThrow(/or a brand that is known\./);
});
