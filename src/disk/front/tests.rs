use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::disk::{self, Filesystem, MIB, Populate, Request, Selector, System};
use crate::exec;
use crate::progress::Silent;
use uuid::uuid;

const KIND: Uuid = uuid!("C12A7328-F81F-11D2-BA4B-00A0C93EC93B");

/// An image of 64 MiB with a data partition of 16 MiB at its end.
fn image(dir: &tempfile::TempDir) -> Option<PathBuf> {
    let path = dir.path().join("disk.img");
    File::create(&path).unwrap().set_len(64 * MIB).unwrap();
    let request = Request {
        size_mib: 16,
        number: 3,
        label: "data".parse().unwrap(),
        filesystem: Filesystem::Ext4,
        wipe: true,
    };
    let (device, contents) = look(&path);
    let plan = disk::plan(&device, &contents, &request).unwrap();
    match disk::apply(&plan, Populate::Empty, &Silent) {
        Err(DiskError::Tool { .. }) => None,
        made => made.map(|_| path.clone()).ok(),
    }
}

fn look(path: &Path) -> (Device, Contents) {
    let device = disk::find(&System::host(), &Selector::Path(path.to_owned())).unwrap();
    let contents = disk::read(&device).unwrap();
    (device, contents)
}

fn partitions(file: &Path) -> Vec<FrontPartition> {
    let bytes: Vec<u8> = (0..3 * MIB)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let file_content = Content::File {
        path: file.to_owned(),
        length_bytes: fs_err::metadata(file).unwrap().len(),
    };
    let partition = |number, name, start: u64, size: u64, content| FrontPartition {
        number,
        name,
        kind: KIND,
        start_bytes: start * MIB,
        size_bytes: size * MIB,
        content,
    };
    vec![
        partition(1, "one", 1, 4, Content::Bytes(bytes.into())),
        partition(2, "two", 5, 10, file_content),
    ]
}

fn front(path: &Path, file: &Path) -> Front {
    let (device, contents) = look(path);
    Front::new(&device, &contents, partitions(file), [0x90; CODE]).unwrap()
}

fn names(path: &Path) -> Vec<String> {
    let (_, contents) = look(path);
    contents
        .partitions()
        .iter()
        .map(|p| p.label.clone())
        .collect()
}

fn boots(path: &Path) -> bool {
    fs_err::read(path).unwrap()[..CODE] == [0x90; CODE]
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[test]
fn contents_first_table_last_again_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let Some(path) = image(&dir) else {
        eprintln!("skipped: no mke2fs");
        return;
    };
    let file = dir.path().join("content");
    fs_err::write(&file, vec![3; 9 * (1 << 20) + 77]).unwrap();
    let never = || false;
    let before = fs_err::read(&path).unwrap();

    // Stopped in the middle: nothing tells of what is there, and the data partition is what it was.
    let asked = AtomicU64::new(0);
    let soon = || asked.fetch_add(1, Ordering::Relaxed) > 6;
    let report = front(&path, &file).run(&Silent, &soon).unwrap();
    assert!(!report.done && report.written_bytes > 0);
    assert_eq!(
        (names(&path), boots(&path)),
        (vec!["data".to_owned()], false)
    );

    let report = front(&path, &file).run(&Silent, &never).unwrap();
    assert!(report.done);
    assert_eq!(report.kept_bytes + report.written_bytes, 14 * MIB);
    assert_eq!(names(&path), ["one", "two", "data"]);
    assert!(boots(&path));
    let now = fs_err::read(&path).unwrap();
    let at = |mib: u64| usize::try_from(mib * MIB).unwrap();
    assert_eq!(
        now[at(47)..at(63)],
        before[at(47)..at(63)],
        "the data partition"
    );
    assert!(now[at(5)..at(14) + 77].iter().all(|b| *b == 3));
    assert!(now[at(14) + 77..at(15)].iter().all(|b| *b == 0));
    match exec::run("sgdisk", &["-v".as_ref(), path.as_os_str()]) {
        Err(exec::ExecError::Missing(_)) => eprintln!("skipped: no sgdisk"),
        checked => assert!(
            String::from_utf8(checked.unwrap())
                .unwrap()
                .contains("No problems found")
        ),
    }

    // The second time it is only read.
    let report = front(&path, &file).run(&Silent, &never).unwrap();
    assert_eq!((report.done, report.written_bytes), (true, 0));
    assert_eq!(fs_err::read(&path).unwrap(), now);

    // Another content: stopped in its middle, the disk boots nowhere.
    fs_err::write(&file, vec![4; 8 << 20]).unwrap();
    asked.store(0, Ordering::Relaxed);
    assert!(!front(&path, &file).run(&Silent, &soon).unwrap().done);
    assert_eq!(
        (names(&path), boots(&path)),
        (vec!["data".to_owned()], false)
    );
    assert!(front(&path, &file).run(&Silent, &never).unwrap().done);
    assert_eq!(names(&path), ["one", "two", "data"]);
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[test]
fn another_layout_takes_the_old_one_away_first() {
    let dir = tempfile::tempdir().unwrap();
    let Some(path) = image(&dir) else {
        eprintln!("skipped: no mke2fs");
        return;
    };
    let file = dir.path().join("content");
    fs_err::write(&file, vec![3; 9 << 20]).unwrap();
    let never = || false;
    let other = |size_bytes: u64, code: u8, stop: &(dyn Fn() -> bool + Sync)| {
        let (device, contents) = look(&path);
        let mut partitions = partitions(&file);
        partitions[1].size_bytes = size_bytes;
        let front = Front::new(&device, &contents, partitions, [code; CODE]).unwrap();
        front.run(&Silent, stop).unwrap()
    };
    let nothing = (vec!["data".to_owned()], [0; CODE].to_vec());
    let told = || (names(&path), fs_err::read(&path).unwrap()[..CODE].to_vec());
    // Another size, other boot code, and the boot code alone, as a crash between the two leaves it; each stopped in its middle.
    for (filling, size, code, boot_code_alone) in [
        (4, 12 * MIB, 0x90, false),
        (5, 10 * MIB, 0x91, false),
        (6, 10 * MIB, 0x90, true),
    ] {
        assert!(other(10 * MIB, 0x90, &never).done);
        if boot_code_alone {
            let path = path.to_str().unwrap();
            let deleted = exec::run("sgdisk", &["-d", "1", "-d", "2", path]);
            if matches!(deleted, Err(exec::ExecError::Missing(_))) {
                eprintln!("skipped: no sgdisk");
                return;
            }
            deleted.unwrap();
        }
        fs_err::write(&file, vec![filling; 9 << 20]).unwrap();
        let asked = AtomicU64::new(0);
        let soon = || asked.fetch_add(1, Ordering::Relaxed) > 6;
        assert!(!other(size, code, &soon).done);
        assert_eq!(told(), nothing, "{filling}");
        assert!(other(size, code, &never).done);
        assert_eq!(
            told(),
            (
                ["one", "two", "data"].map(str::to_owned).to_vec(),
                vec![code; CODE]
            )
        );
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
#[test]
fn other_partitions_are_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let Some(path) = image(&dir) else {
        eprintln!("skipped: no mke2fs");
        return;
    };
    let file = dir.path().join("content");
    fs_err::write(&file, [3; 100]).unwrap();
    let (device, contents) = look(&path);
    let try_with = |change: &dyn Fn(&mut Vec<FrontPartition>)| {
        let mut partitions = partitions(&file);
        change(&mut partitions);
        Front::new(&device, &contents, partitions, [0; CODE]).unwrap_err()
    };
    let number = try_with(&|p| p[1].number = 3);
    assert!(
        matches!(number, DiskError::NumberInUse { number: 3, .. }),
        "{number}"
    );
    let overlap = try_with(&|p| p[1].size_bytes = 43 * MIB);
    assert!(matches!(overlap, DiskError::NoRoom { .. }), "{overlap}");
    let (device, _) = look(&path);
    let changed = Front::new(&device, &contents, partitions(&file), [0; CODE]).unwrap();
    exec::run(
        "dd",
        &[
            "if=/dev/zero",
            &format!("of={}", path.display()),
            "bs=512",
            "count=34",
            "conv=notrunc",
            "status=none",
        ],
    )
    .unwrap();
    let refused = changed.run(&Silent, &|| false).unwrap_err();
    assert!(matches!(refused, DiskError::Changed(_)), "{refused}");
}
