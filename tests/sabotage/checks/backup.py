"""Taken out of backups and of the locked home: what makes a backup whole, one moment, and known once it is restored."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation, never, out

BACKUP = "home/test_backup.py"

CHECKS = (
    out(7, "a backup is one moment", "home",
        '    db.execute("BEGIN")  # all that follows sees one moment\n', "",
        f"{BACKUP}::test_it_is_one_moment_while_a_kernel_writes"),
    out(7, "a journal is checked as it is backed up", "home",
        "at = chain.followed(at, (row,))", "at = row[0], row[-1]",
        f"{BACKUP}::test_a_home_that_is_broken_makes_no_backup"),
    out(7, "a restored home is known as one", "home",
        "INSERT OR REPLACE INTO marks (name, value) VALUES ('broken', ?)\", (_reason(found),)", 'SELECT 1"',
        f"{BACKUP}::test_a_home_comes_back_whole_once_it_was_accepted"),
    Mutation(7, "the header of a backup is authentic", "home", (
        ("secretstream_xchacha20poly1305_push(self._state, plain, self._header, tag)",
         'secretstream_xchacha20poly1305_push(self._state, plain, b"", tag)'),
        ("secretstream_xchacha20poly1305_pull(state, sealed, header)",
         'secretstream_xchacha20poly1305_pull(state, sealed, b"")'),
    ), (f"{BACKUP}::test_what_was_altered_is_refused_and_leaves_nothing",)),
    out(7, "a backup that was cut off is none", "home",
        "while tag != LAST:", "while file.peek(1):", f"{BACKUP}::test_a_frame_that_is_left_out_is_missed"),
    never(7, "nothing stands behind the end of a backup", "home",
        "file.read(1)", f"{BACKUP}::test_what_was_altered_is_refused_and_leaves_nothing"),
    out(11, "a backup takes no other file's place", "home",
        "os.link(part, target)  # and not over what was made there meanwhile", "part.replace(target)",
        f"{BACKUP}::test_a_file_made_meanwhile_stays"),
    out(11, "a backup is nobody else's to read", "home",
        'os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb")', 'os.O_WRONLY | os.O_NOFOLLOW, 0o644), "wb")',
        f"{BACKUP}::test_there_is_no_word_of_it_in_the_clear_and_it_is_nobody_elses"),
    out(11, "a home that was not restored whole is none", "home",
        'path.glob(f"{name}*"):', "():",
        f"{BACKUP}::test_what_was_altered_is_refused_and_leaves_nothing"),
)  # fmt: skip
