//! Comparison of 64 bytes at a time.

use wide::u8x16;

/// 64 bytes that are compared at once.
#[derive(Clone, Copy)]
pub(super) struct Block([u8x16; 4]);

impl Block {
    #[inline]
    pub(super) fn new(bytes: &[u8; 64]) -> Self {
        let (quarters, _) = bytes.as_chunks::<16>();
        Self(std::array::from_fn(|index| u8x16::new(quarters[index])))
    }

    /// Makes a block of the first bytes, padded with zeros.
    #[inline]
    pub(super) fn first_of(bytes: &[u8]) -> Self {
        if let Some(block) = bytes.first_chunk() {
            return Self::new(block);
        }
        let mut block = [0; 64];
        block[..bytes.len()].copy_from_slice(bytes);
        Self::new(&block)
    }

    /// Returns a mask: bit n is set if byte n equals `byte`.
    #[inline]
    pub(super) fn equal(self, byte: u8) -> u64 {
        let byte = u8x16::splat(byte);
        self.mask(|bytes| bytes.simd_eq(byte))
    }

    /// Returns a mask: bit n is set if byte n, with `bits` set, equals `byte`.
    #[inline]
    pub(super) fn equal_but_for(self, bits: u8, byte: u8) -> u64 {
        let (bits, byte) = (u8x16::splat(bits), u8x16::splat(byte));
        self.mask(|bytes| (bytes | bits).simd_eq(byte))
    }

    /// Returns a mask: bit n is set if byte n is a quote, a backslash or a control character.
    #[inline]
    pub(super) fn marks(self) -> u64 {
        let (quote, backslash) = (u8x16::splat(b'"'), u8x16::splat(b'\\'));
        let control = u8x16::splat(0x1f);
        self.mask(|bytes| {
            bytes.simd_eq(quote) | bytes.simd_eq(backslash) | bytes.min(control).simd_eq(bytes)
        })
    }

    #[inline]
    fn mask(self, is: impl Fn(u8x16) -> u8x16) -> u64 {
        let [a, b, c, d] = self.0.map(|quarter| u64::from(is(quarter).to_bitmask()));
        a | b << 16 | c << 32 | d << 48
    }
}
