//! Looks at 64 bytes at a time.

/// Bit n tells about byte n. Written so that the compiler compares many bytes at once.
#[inline]
pub(super) fn mask(block: &[u8; 64], is: impl Fn(u8) -> bool) -> u64 {
    let mut found = [0; 64];
    for (found, byte) in found.iter_mut().zip(block) {
        *found = u8::from(is(*byte));
    }
    let mut mask = 0;
    for (index, word) in found.as_chunks::<8>().0.iter().enumerate() {
        // Moves the lowest bits of eight bytes into one byte.
        let bits = u64::from_le_bytes(*word).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask |= bits << (index * 8);
    }
    mask
}
