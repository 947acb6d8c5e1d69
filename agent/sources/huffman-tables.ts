/**
 * The four Huffman tables of ITU-T T.81, annex K.3, as one DHT segment. Cameras that write MJPEG as in AVI files leave them
 * out and expect everybody to know them.
 */
const LUMINANCE_DC = table(0x00, '00010501010101010100000000000000', range(0, 11));
const CHROMINANCE_DC = table(0x01, '00030101010101010101010000000000', range(0, 11));
const LUMINANCE_AC = table(
  0x10,
  '0002010303020403050504040000017d',
  hex(
    '0102030004110512213141061351610722711432' +
      '8191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a43444546474849' +
      '4a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3' +
      'a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9ea' +
      'f1f2f3f4f5f6f7f8f9fa',
  ),
);
const CHROMINANCE_AC = table(
  0x11,
  '00020102040403040705040400010277',
  hex(
    '0001020311040521310612415107617113223281' +
      '08144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748' +
      '494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999a' +
      'a2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9' +
      'eaf2f3f4f5f6f7f8f9fa',
  ),
);
const TABLES = Buffer.concat([LUMINANCE_DC, LUMINANCE_AC, CHROMINANCE_DC, CHROMINANCE_AC]);
const DHT_SEGMENT = Buffer.concat([Buffer.from([0xff, 0xc4, 0, 0]), TABLES]);
DHT_SEGMENT.writeUInt16BE(TABLES.length + 2, 2);

/** The same bytes where the picture has Huffman tables or is no baseline JPEG; else a copy with the standard ones. */
export function withHuffmanTables(jpeg: Buffer): Buffer {
  if (jpeg[0] !== 0xff || jpeg[1] !== 0xd8) return jpeg;
  let baseline = false;
  for (let at = 2; at + 4 <= jpeg.length && jpeg[at] === 0xff; at += 2 + jpeg.readUInt16BE(at + 2)) {
    const marker = jpeg[at + 1]!;
    if (marker === 0xc4) return jpeg;
    if (marker === 0xc0) baseline = true;
    if (marker !== 0xda) continue;
    return baseline ? Buffer.concat([jpeg.subarray(0, at), DHT_SEGMENT, jpeg.subarray(at)]) : jpeg;
  }
  return jpeg;
}

function table(id: number, lengths: string, values: Buffer): Buffer {
  return Buffer.concat([Buffer.from([id]), hex(lengths), values]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function range(from: number, to: number): Buffer {
  return Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i));
}
