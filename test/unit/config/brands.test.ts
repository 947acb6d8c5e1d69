import { describe, expect, test } from 'vitest';
import { findBrand, guessBrand, pathsOf } from '../../../common/domain/brand.ts';
import { BRANDS } from '../../../config/brands.ts';

describe('the brand table', () => {
  test('every brand has a way to its pictures, by paths without credentials', () => {
    for (const { name, snapshot, video, models = [] } of BRANDS) {
      expect([name, snapshot ?? video]).not.toEqual([name, undefined]);
      const paths = [snapshot, video, ...models.flatMap((model) => [model.snapshot, model.video])];
      for (const path of paths.filter((one) => one !== undefined)) {
        expect(path).toMatch(/^\/[\x21-\x7e]*$/);
        expect(path).not.toMatch(/pwd|password|user=|usr=/i);
      }
    }
  });

  test('no two brands have a name or an alias in common', () => {
    for (const { name, aliases = [] } of BRANDS)
      for (const known of [name, ...aliases]) expect(findBrand(BRANDS, known)?.name).toBe(name);
  });

  test('brands go by any spelling, models by their beginning', () => {
    expect(pathsOf(BRANDS, 'AXIS', 'M1065-L')).toMatchObject({ snapshot: '/axis-cgi/jpg/image.cgi' });
    expect(pathsOf(BRANDS, 'Axis Communications', '2100')).toMatchObject({ snapshot: '/cgi-bin/jpg/image.cgi' });
    expect(pathsOf(BRANDS, 'd link')).toMatchObject({ video: '/video/mjpg.cgi' });
    expect(pathsOf(BRANDS, 'panasonic', 'WV-SP105')).toEqual({ snapshot: '/cgi-bin/camera', video: '/cgi-bin/mjpeg' });
    expect(pathsOf(BRANDS, 'airlive')).toEqual({ video: '/mjpg/video.mjpg' });
    expect(pathsOf(BRANDS, 'Nobody')).toBeUndefined();
  });

  test.each([
    [{ realm: 'AXIS_00408C0FFEE0' }, 'Axis', 'realm'],
    [{ server: 'App-webs/' }, 'Hikvision', 'server'],
    [{ server: 'Netwave IP Camera' }, 'Foscam', 'server'],
    [{ server: 'gen5th/1.86.00' }, 'Sony', 'server'],
    [{ server: 'dcs-932l' }, 'D-Link', 'server'],
    [{ server: 'nginx', path: '/-wvhttp-01-/image.cgi?v=jpg' }, 'Canon', 'path'],
  ])('%j gives away %s', (hints, name, by) => {
    const guess = guessBrand(BRANDS, hints);
    expect([guess?.brand.name, guess?.by]).toEqual([name, by]);
  });

  test('what says nothing, or what several brands have, gives nobody away', () => {
    expect(guessBrand(BRANDS, { server: 'Apache/2.4', realm: 'Restricted', path: '/webcam.jpg' })).toBeUndefined();
    expect(guessBrand(BRANDS, { path: '/video/mjpg.cgi' })).toBeUndefined();
    expect(guessBrand(BRANDS, {})).toBeUndefined();
  });
});
