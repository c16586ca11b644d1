//! Finds the bytes that matter in COPY text, 64 at a time.

/// Bytes that are looked at together.
pub(super) const LANE: usize = 64;

/// A bit for each byte up to 0x0d and each backslash.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn marks(lane: &[u8; LANE]) -> u64 {
    // SAFETY: every x86-64 processor has SSE2, the only thing that `marks_sse2` needs.
    unsafe { marks_sse2(lane) }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse2")]
fn marks_sse2(lane: &[u8; LANE]) -> u64 {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
    };
    let (low, backslash) = (_mm_set1_epi8(0x0d), _mm_set1_epi8(0x5c));
    let mut mask = 0;
    for (nth, part) in lane.chunks_exact(16).enumerate() {
        let half = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&part[at..at + 8]); // parts are of 16 bytes
            i64::from_le_bytes(bytes)
        };
        let bytes = _mm_set_epi64x(half(8), half(0));
        let is_low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, low), bytes);
        let found = _mm_or_si128(is_low, _mm_cmpeq_epi8(bytes, backslash));
        mask |= u64::from(_mm_movemask_epi8(found) as u16) << (nth * 16);
    }
    mask
}

/// A bit for each byte up to 0x0d and each backslash.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn marks(lane: &[u8; LANE]) -> u64 {
    lane.iter().enumerate().fold(0, |mask, (at, &byte)| mask | u64::from(byte <= 0x0d || byte == b'\\') << at)
}
