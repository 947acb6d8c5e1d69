import type { Brand } from '../common/domain/brand.ts';

/**
 * Where network cameras of each brand serve their pictures. A camera of kind `ip` with one of these brands needs no paths. To
 * add a brand, add an entry: `snapshot` wherever there is one, because a picture a minute costs less than a stream.
 */
export const BRANDS: readonly Brand[] = [
  {
    name: 'Axis',
    aliases: ['axis communications'],
    snapshot: '/axis-cgi/jpg/image.cgi',
    video: '/axis-cgi/mjpg/video.cgi',
    // The first generation, before VAPIX.
    models: [
      { match: /^(2100|2110|2120|2400|2401|2420)\b/, snapshot: '/cgi-bin/jpg/image.cgi', video: '/mjpg/video.mjpg' },
    ],
    signs: [/\baxis\b/i, /^AXIS_[0-9A-F]{12}/],
  },
  {
    name: 'Foscam',
    snapshot: '/snapshot.cgi',
    video: '/videostream.cgi',
    signs: [/foscam/i, /^Netwave IP Camera/i, /^ipcamera_[0-9A-F]+/i],
  },
  {
    name: 'Panasonic',
    aliases: ['i-pro', 'panasonic i-pro'],
    snapshot: '/SnapshotJPEG?Resolution=640x480',
    video: '/nphMotionJpeg?Resolution=640x480&Quality=Standard',
    models: [{ match: /^(WV|DG|S\d{4}|U\d{4})/i, snapshot: '/cgi-bin/camera', video: '/cgi-bin/mjpeg' }],
    signs: [/panasonic/i, /i-pro/i, /^Network Camera (BB|BL|KX)/i],
  },
  {
    name: 'Mobotix',
    // The pages for guests: those for users want credentials.
    snapshot: '/cgi-bin/image.jpg',
    video: '/cgi-bin/faststream.jpg?stream=full&fps=1',
    signs: [/mobotix/i],
  },
  {
    name: 'D-Link',
    snapshot: '/image/jpeg.cgi',
    video: '/video/mjpg.cgi',
    models: [{ match: /^DCS-(930|932|933|942|5020)/i, snapshot: '/image/jpeg.cgi', video: '/mjpeg.cgi' }],
    signs: [/d-?link/i, /^dcs-\d/i],
  },
  {
    name: 'Vivotek',
    snapshot: '/cgi-bin/viewer/video.jpg',
    video: '/video2.mjpg',
    models: [{ match: /^(IP|PT|FD|PZ)?71\d\d/i, snapshot: '/cgi-bin/viewer/video.jpg', video: '/video.mjpg' }],
    signs: [/vivotek/i],
  },
  {
    name: 'Sony',
    snapshot: '/oneshotimage.jpg',
    video: '/mjpeg',
    models: [{ match: /^SNC-(RZ|CS|DF|P|Z)/i, snapshot: '/oneshotimage.jpg', video: '/image' }],
    signs: [/^gen[3-7]th?\b/i, /\bsony\b/i, /^NetZoom/i],
  },
  {
    name: 'Canon',
    snapshot: '/-wvhttp-01-/image.cgi',
    video: '/-wvhttp-01-/video.cgi',
    models: [
      {
        match: /^VB-?(C|101|150)/i,
        snapshot: '/-wvhttp-01-/GetOneShot?frame_count=1',
        video: '/-wvhttp-01-/GetOneShot?frame_count=0',
      },
    ],
    signs: [/^VB\d+/i, /\bcanon\b/i, /WebView/i],
  },
  {
    name: 'Hikvision',
    aliases: ['hik', 'hiwatch'],
    snapshot: '/ISAPI/Streaming/channels/101/picture',
    video: '/ISAPI/Streaming/channels/102/httpPreview',
    signs: [/hikvision/i, /^App-webs/i, /^DNVRS-Webs/i, /^IP Camera\(\w+\)$/],
  },
  {
    name: 'Dahua',
    aliases: ['amcrest'],
    snapshot: '/cgi-bin/snapshot.cgi',
    video: '/cgi-bin/mjpg/video.cgi?channel=1&subtype=1',
    signs: [/dahua/i, /amcrest/i, /^Login to [0-9A-F]{12,}/i],
  },
  {
    name: 'Hanwha',
    aliases: ['samsung', 'wisenet', 'hanwha vision', 'hanwha techwin'],
    snapshot: '/stw-cgi/video.cgi?msubmenu=snapshot&action=view',
    video: '/stw-cgi/video.cgi?msubmenu=stream&action=view&CodecType=MJPEG',
    signs: [/hanwha/i, /wisenet/i, /^iPolis/i],
  },
  { name: 'Bosch', snapshot: '/snap.jpg', signs: [/\bbosch\b/i, /^VCS-VideoJet/i] },
  {
    name: 'TRENDnet',
    snapshot: '/image/jpeg.cgi',
    video: '/video/mjpg.cgi',
    models: [
      {
        match: /^TV-IP(100|110|200|201|300|301|400|410|422)/i,
        snapshot: '/cgi/jpg/image.cgi',
        video: '/cgi/mjpg/mjpeg.cgi',
      },
      { match: /^TV-IP(551|552|651|751)/i, snapshot: '/image/jpeg.cgi', video: '/mjpeg.cgi' },
    ],
    signs: [/trendnet/i, /^TV-IP\d/i],
  },
  { name: 'Linksys', snapshot: '/img/snapshot.cgi', video: '/img/mjpeg.jpg', signs: [/linksys/i, /^WVC\d/i] },
  {
    name: 'LevelOne',
    video: '/video.mjpg',
    models: [{ match: /^FCS/i, video: '/img/video.mjpeg' }],
    signs: [/level\s?one/i],
  },
  { name: 'Planet', video: '/video.mjpg', signs: [/^ICA-\d/i] },
  { name: 'Edimax', snapshot: '/snapshot.jpg', video: '/mjpg/video.mjpg', signs: [/edimax/i] },
  { name: 'AirLive', video: '/mjpg/video.mjpg', signs: [/airlive/i] },
  {
    name: 'ACTi',
    snapshot: '/cgi-bin/cmd/encoder?SNAPSHOT',
    video: '/cgi-bin/cmd/system?GET_STREAM',
    signs: [/\bacti\b/i],
  },
  { name: 'Brickcom', snapshot: '/snapshot.jpg', video: '/channel2', signs: [/brickcom/i] },
  { name: 'Aviosys', video: '/ipcam/mjpeg.cgi', signs: [/aviosys/i] },
  { name: 'Arecont Vision', aliases: ['arecont'], snapshot: '/img.jpg', video: '/mjpeg', signs: [/arecont/i] },
  { name: 'AirLink101', video: '/MJPEG.CGI', signs: [/airlink/i, /skyipcam/i] },
  {
    name: 'IQinVision',
    aliases: ['iqeye'],
    snapshot: '/now.jpg',
    video: '/now.jpg?snap=spush',
    signs: [/iqeye/i, /iqinvision/i],
  },
  { name: 'Y-cam', snapshot: '/snapshot.jpg', video: '/stream.jpg', signs: [/y-cam/i] },
  { name: 'StarDot', snapshot: '/netcam.jpg', video: '/nph-mjpeg.cgi', signs: [/stardot/i, /netcam ?(sc|xl)/i] },
];
