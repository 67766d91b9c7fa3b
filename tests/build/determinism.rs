//! Tests that generated files depend only on the inputs.

use crate::support::{Package, tree};

#[test]
fn output_does_not_depend_on_job_count_path_or_order() {
    let first = Package::of("build-rust", "here");
    let second = Package::copied("build-rust", "a path/that is longer", |mut files| {
        files.reverse();
        files
    })
    .warm();
    first.run(&mut first.cargo(&["build", "-j1"]));
    second.run(&mut second.cargo(&["build", "-j8"]));
    let expected = tree(&first.out_dir());
    // 200 files, the one that includes them, the manifest, and the list of names.
    assert_eq!(expected.len(), 203);
    assert_eq!(tree(&second.out_dir()), expected);

    // An `OUT_DIR` with files of earlier runs gives the same result as an empty one.
    second.write("tables/p00/a.txt", "A = 1\n");
    second.edit("tables/p00/t00.txt", "FIRST = 0", "FIRST = 1");
    second.build();
    assert_ne!(tree(&second.out_dir()), expected);
    second.remove("tables/p00/a.txt");
    second.edit("tables/p00/t00.txt", "FIRST = 1", "FIRST = 0");
    second.build();
    assert_eq!(tree(&second.out_dir()), expected);
}
