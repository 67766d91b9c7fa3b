//! Shared code of the fuzz targets.

pub use genti;
pub use libfuzzer_sys;

/// Defines the fuzz target `genti::fuzz::target(name)`, with its own mutations in addition to those of libFuzzer.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| {
            ($crate::genti::fuzz::target($name).check)(input);
        });

        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            // Use the mutations of libFuzzer half of the time, because they are guided by coverage.
            if seed % 2 == 0 {
                return $crate::libfuzzer_sys::fuzzer_mutate(data, size, max_size);
            }
            let out = $crate::mutate($name, &data[..size], seed.into());
            let len = out.len().min(max_size);
            data[..len].copy_from_slice(&out[..len]);
            len
        });
    };
}

/// Mutates `input` for the target with this name.
pub fn mutate(name: &str, input: &[u8], seed: u64) -> Vec<u8> {
    use std::sync::OnceLock;
    static SEEDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let target = genti::fuzz::target(name);
    let others = SEEDS.get_or_init(|| (target.seeds)());
    (target.mutate)(&mut genti::fuzz::Dice::new(seed), input, others)
}
