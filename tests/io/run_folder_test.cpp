#include "io/run_folder.hpp"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>

#include "io/file_damage.hpp"
#include "io/file_locks.hpp"
#include "io/host_name.hpp"
#include "io/metrics.hpp"
#include "io/output_folder.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(RunFolder, IsCreatedAndLocked) {
  const TemporaryFolder folder;
  {
    const RunFolder run(folder.path() / "a" / "run");
    EXPECT_EQ(run.metrics(), folder.path() / "a" / "run" / "metrics.jsonl");
    EXPECT_THAT(read_file(folder.path() / "a" / "run" / "lock"),
                AllOf(HasSubstr("host"), HasSubstr("time")));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a" / "run" / "lock"));
}

TEST(RunFolder, RefusesASecondProcess) {
  // The tests may themselves run in a job.
  for (const char* variable : {"PBS_JOBID", "LSB_JOBID"}) {
    unsetenv(variable);
  }
  setenv("SLURM_JOB_ID", "4711", 1);
  const TemporaryFolder folder;
  const RunFolder run(folder / "run");
  unsetenv("SLURM_JOB_ID");
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof(host) - 1), 0);
  EXPECT_THAT(message_of<Error>([&] { RunFolder second(folder / "run"); }),
              AllOf(HasSubstr("in use"), HasSubstr(host), HasSubstr("job 4711"),
                    HasSubstr(std::to_string(::getpid())), HasSubstr("since 20")));
}

TEST(RunFolder, TakesOverTheLockOfAKilledProcess) {
  const TemporaryFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const RunFolder run(folder / "run");
    const char byte = 1;
    (void)!::write(ready[1], &byte, 1);
    for (;;) {
      ::pause();
    }
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_THAT(message_of<Error>([&] { RunFolder second(folder / "run"); }),
              HasSubstr("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run" / "lock"));
  EXPECT_NO_THROW(RunFolder(folder / "run"));
  ::close(ready[0]);
  ::close(ready[1]);
}

/// From here on flock of this process fails with `error`, as on a file system without locks.
bool let_flock_fail(unsigned error) {
  sock_filter filter[]{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_flock, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = std::size(filter), .filter = filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr int cannot_filter = 77;

/// Opens the run folder where flock fails with `error`, prints the lock's notice or the refusal,
/// and ends: with 0, 1 or `cannot_filter`.
[[noreturn]] void open_without_locks(const std::filesystem::path& folder, unsigned error) {
  if (!let_flock_fail(error)) {
    std::_Exit(cannot_filter);
  }
  try {
    const RunFolder run(folder);
    std::fprintf(stderr, "notice: %s\n", run.lock_notice().c_str());
    std::_Exit(run.lock_notice().empty() ? 2 : 0);
  } catch (const Error& refusal) {
    std::fprintf(stderr, "refusal: %s\n", refusal.what());
    std::_Exit(1);
  }
}

bool can_filter_calls() {
  const pid_t child = ::fork();
  if (child == 0) {
    std::_Exit(let_flock_fail(ENOLCK) ? 0 : cannot_filter);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void leave_lock_of(const std::filesystem::path& folder, const std::string& host, pid_t process) {
  std::filesystem::create_directories(folder);
  overwrite(
      folder / "lock",
      fmt::format(R"({{"host":"{}","process":{},"job":"none","time":"now"}})", host, process));
}

TEST(RunFolderDeathTest, GoesOnWithANoticeWhereTheFileSystemHasNoLocks) {
  if (!can_filter_calls()) {
    GTEST_SKIP() << "system calls cannot be filtered here";
  }
  constexpr unsigned kernel_enotsupp = 524;
  for (const unsigned error : {unsigned{ENOLCK}, unsigned{ENOSYS}, unsigned{EOPNOTSUPP},
                               unsigned{EINVAL}, kernel_enotsupp}) {
    const TemporaryFolder folder;
    EXPECT_EXIT(open_without_locks(folder / "run", error), testing::ExitedWithCode(0),
                "notice: The file system of .*lock has no locks .*goes on without")
        << error;
  }
  const TemporaryFolder folder;
  EXPECT_EXIT(open_without_locks(folder / "run", EIO), testing::ExitedWithCode(1),
              "refusal: cannot lock .*: Input/output error");
}

TEST(RunFolderDeathTest, WithoutLocksOnlyADeadHolderIsReplaced) {
  if (!can_filter_calls()) {
    GTEST_SKIP() << "system calls cannot be filtered here";
  }
  const TemporaryFolder folder;
  leave_lock_of(folder / "alive", host_name(), ::getpid());
  EXPECT_EXIT(open_without_locks(folder / "alive", ENOLCK), testing::ExitedWithCode(1),
              "in use by");
  leave_lock_of(folder / "elsewhere", "another-host", 1);
  EXPECT_EXIT(open_without_locks(folder / "elsewhere", EINVAL), testing::ExitedWithCode(1),
              "host another-host.*has no locks.*remove .*lock");
  const pid_t child = ::fork();
  if (child == 0) {
    std::_Exit(0);
  }
  ::waitpid(child, nullptr, 0);
  leave_lock_of(folder / "dead", host_name(), child);
  EXPECT_EXIT(open_without_locks(folder / "dead", ENOLCK), testing::ExitedWithCode(0), "notice");
}

TEST(FileLocks, AreOfOneHostWhereTheMountSaysSo) {
  const std::string mounts =
      "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
      "30 22 0:40 / /home rw,nosuid shared:7 - nfs4 server:/home rw,vers=4.2,local_lock=none\n"
      "31 22 0:41 / /scratch\\040one rw - nfs server:/s rw,vers=3,local_lock=all,addr=1\n"
      "32 22 0:42 / /lustre rw - lustre 10.0.0.1@tcp:/lustre rw,localflock\n"
      "33 32 0:43 / /lustre/shared rw - lustre 10.0.0.1@tcp:/shared rw,flock\n"
      "34 22 0:44 / /mnt rw - fuse.sshfs me@there:/ rw,user_id=0\n"
      "35 22 0:45 / /tmp rw - tmpfs tmpfs rw\n";
  const auto of = [&](const std::string& path) {
    std::istringstream stream(mounts);
    return locks_of_one_host(stream, path).value_or("");
  };
  EXPECT_EQ(of("/var/run"), "");
  EXPECT_EQ(of("/home/me/run"), "");
  EXPECT_EQ(of("/scratch one/run"), "nfs, local_lock=all");
  EXPECT_EQ(of("/scratch"), "");
  EXPECT_EQ(of("/lustre/run"), "lustre, localflock");
  EXPECT_EQ(of("/lustrework/run"), "");
  EXPECT_EQ(of("/lustre/shared/run"), "");
  EXPECT_EQ(of("/mnt/run"), "fuse.sshfs");
  EXPECT_EQ(of("/tmp/run"), "");
}

TEST(RunFolder, SaysWhatIsInItsWay) {
  const TemporaryFolder folder;
  overwrite(folder / "file", "");
  EXPECT_THAT(message_of<Error>([&] { RunFolder run(folder / "file"); }),
              HasSubstr("is a file, where a folder is expected"));
  EXPECT_THAT(message_of<Error>([&] { RunFolder run(folder.path() / "file" / "run"); }),
              HasSubstr("file"));
  EXPECT_THAT(message_of<Error>([] { RunFolder run("/proc/run"); }), HasSubstr("/proc/run"));
}

TEST(RunFolder, ThatIsNewGoesAgainIfNothingWasWritten) {
  const TemporaryFolder folder;
  { const RunFolder run(folder.path() / "a" / "run"); }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a"));
  {
    const RunFolder run(folder.path() / "a" / "run");
    overwrite(run.metrics(), "");
  }
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "a" / "run" / "metrics.jsonl"));
  std::filesystem::create_directory(folder / "old");
  { const RunFolder run(folder / "old"); }
  EXPECT_TRUE(std::filesystem::exists(folder / "old"));
}

TEST(RunFolder, OnAFullDiskSaysSoAndLeavesNothing) {
  const TemporaryFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "cannot mount a small disk here, which only root can";
  }
  std::ofstream(disk + "/filler") << std::string(1 << 17, 'x');
  EXPECT_THAT(message_of<Error>([&] { RunFolder run(disk + "/run"); }),
              HasSubstr("/run/lock: No space left on device."));
  EXPECT_FALSE(std::filesystem::exists(disk + "/run"));
  std::filesystem::create_directory(disk + "/old");
  EXPECT_THAT(message_of<Error>([&] { RunFolder run(disk + "/old"); }), HasSubstr("No space left"));
  EXPECT_TRUE(std::filesystem::is_empty(disk + "/old"));
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

TEST(NewFolders, ThatCannotAllBeMadeLeaveNone) {
  const TemporaryFolder folder;
  const std::string too_long(300, 'x');
  EXPECT_THAT(message_of<Error>([&] { NewFolders made(folder.path() / "a" / "b" / too_long); }),
              HasSubstr("cannot create the folder"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(RowFile, SaysThatItCannotBeSynced) {
  EXPECT_THAT(message_of<Error>([] { RowFile("/dev/full").sync(); }),
              HasSubstr("cannot sync /dev/full: "));
}

TEST(OutputFolder, LeavesWhatWasThereWhenItCannotBeRenamed) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "out");
  overwrite(folder.path() / "out" / "a", "former");
  {
    OutputFolder output(folder / "out", {"a"});
    std::filesystem::remove(output.partial_path());
    EXPECT_THROW(output.commit(), Error);
  }
  EXPECT_EQ(read_file(folder.path() / "out" / "a"), "former");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.replaced"));
}

std::string rows(int first, int last) {
  std::string text;
  for (int step = first; step <= last; ++step) {
    text += fmt::format("{{\"step\": {}, \"loss\": 0.10}}\n", step);
  }
  return text;
}

TEST(CutBack, RemovesLaterStepsAndTornLines) {
  const TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  struct Case {
    std::string before;
    std::string after;
  };
  const std::vector<Case> cases{
      {rows(1, 5), rows(1, 3)},
      {rows(1, 3), rows(1, 3)},
      {rows(1, 3) + "{\"step\": 2, \"lo", rows(1, 3)},
      {rows(1, 3) + "{\"step\": 2}", rows(1, 3)},  // whole, but its newline was lost
      {rows(4, 9), ""},
      {rows(1, 2) + "{\"loss\": 1}\n" + rows(3, 3), rows(1, 3)},
      {rows(1, 2) + std::string(10, '\0'), rows(1, 2)},
      {rows(3, 3) + rows(3, 4), rows(3, 3) + rows(3, 3)},
      {"", ""},
  };
  for (const Case& c : cases) {
    overwrite(file, c.before);
    cut_back_rows(file, 3);
    EXPECT_EQ(read_file(file), c.after) << "from\n" << c.before;
    EXPECT_FALSE(std::filesystem::exists(folder / "metrics.jsonl.partial"));
  }
}

TEST(CutBack, OfARunCutsAllThreeFiles) {
  const TemporaryFolder folder;
  const RunFolder run(folder.path());
  for (const auto& file : {run.metrics(), run.samples(), run.episodes()}) {
    overwrite(file, rows(1, 2) + rows(2, 4));
  }
  run.cut_back(2);
  for (const auto& file : {run.metrics(), run.samples(), run.episodes()}) {
    EXPECT_EQ(read_file(file), rows(1, 2) + rows(2, 2));
  }
  run.cut_back(0);
  EXPECT_EQ(read_file(run.metrics()), "");
}

TEST(CutBack, LeavesAMissingFileMissing) {
  const TemporaryFolder folder;
  cut_back_rows(folder / "metrics.jsonl", 3);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(RowFile, AppendsRowsThatReadBackTheSame) {
  const TemporaryFolder folder;
  const std::vector<double> values{
      0.1,  1.0 / 3.0,           1e300, 5e-324,
      -0.0, 123456789.123456789, 0.1F,  std::numeric_limits<float>::denorm_min()};
  {
    RowFile file(folder / "metrics.jsonl");
    for (std::size_t i = 0; i < values.size(); ++i) {
      file.append({{"step", i + 1}, {"loss", values[i]}, {"accuracy", 1}});
    }
  }
  RowFile(folder / "metrics.jsonl").append({{"step", 9}});
  std::ifstream stream(folder / "metrics.jsonl");
  std::string line;
  for (const double value : values) {
    ASSERT_TRUE(std::getline(stream, line));
    EXPECT_EQ(line.find("{\"step\":"), 0U) << line;
    const Row row = Row::parse(line);
    EXPECT_EQ(row["loss"].get<double>(), value) << line;
    EXPECT_EQ(std::signbit(row["loss"].get<double>()), std::signbit(value));
  }
  ASSERT_TRUE(std::getline(stream, line));
  EXPECT_EQ(line, "{\"step\":9}");
}

TEST(RowFile, WritesNoBareNan) {
  const TemporaryFolder folder;
  RowFile(folder / "m").append({{"loss", std::nan("")}, {"norm", HUGE_VAL}});
  EXPECT_EQ(read_file(folder / "m"), "{\"loss\":null,\"norm\":null}\n");
}

TEST(RowFile, SaysThatTheDiskIsFull) {
  RowFile file("/dev/full");
  EXPECT_THAT(message_of<Error>([&] {
                file.append({{"step", 1}});
              }),
              HasSubstr("cannot write /dev/full: No space left on device"));
}

}  // namespace
}  // namespace precis
