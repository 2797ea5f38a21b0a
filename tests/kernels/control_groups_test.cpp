// Limits of control groups, from made files as the kernel writes them.
#include "kernels/control_groups.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "kernels/host_memory.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

constexpr std::int64_t gib = std::int64_t{1} << 30;

class ControlGroups : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = folder_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  /// Of a machine with 64 GiB, 48 of them free.
  void expect_space(std::int64_t free, std::int64_t total) const {
    const Memory::Space space = within_control_groups(
        {48 * gib, 64 * gib}, folder_.path() / "groups", folder_.path() / "mount");
    EXPECT_EQ(space.free, free);
    EXPECT_EQ(space.total, total);
  }
  void write_version_2(const std::string& group, const std::string& limit,
                       std::int64_t used) const {
    write("mount" + group + "/memory.max", limit);
    write("mount" + group + "/memory.current", std::to_string(used));
  }

  TemporaryFolder folder_;
};

TEST_F(ControlGroups, NoneNoLimit) { expect_space(48 * gib, 64 * gib); }

TEST_F(ControlGroups, Version2) {
  write("groups", "0::/job/step");
  write_version_2("/job/step", std::to_string(10 * gib), 7 * gib);
  expect_space(3 * gib, 10 * gib);
  // Files that were read lie in the cache, and give way.
  write("mount/job/step/memory.stat", "anon " + std::to_string(5 * gib) + "\nfile " +
                                          std::to_string(2 * gib) + "\ninactive_file " +
                                          std::to_string(gib) + "\nactive_file 4096");
  expect_space(4 * gib, 10 * gib);
}

TEST_F(ControlGroups, Version2WithoutALimit) {
  write("groups", "0::/job");
  write_version_2("/job", "max", 7 * gib);
  expect_space(48 * gib, 64 * gib);
}

TEST_F(ControlGroups, OfTheTwoLimitsOfVersion2TheLowerCounts) {
  write("groups", "0::/job");
  write_version_2("/job", "max", 7 * gib);
  write("mount/job/memory.high", std::to_string(9 * gib));
  expect_space(2 * gib, 9 * gib);
  write_version_2("/job", std::to_string(8 * gib), 7 * gib);
  expect_space(gib, 8 * gib);
  write("mount/job/memory.high", "max");
  expect_space(gib, 8 * gib);
}

TEST_F(ControlGroups, TheTightestAboveCounts) {
  write("groups", "0::/job/step/task");
  write_version_2("/job/step/task", "max", gib);
  write_version_2("/job/step", std::to_string(20 * gib), gib);
  write_version_2("/job", std::to_string(30 * gib), 25 * gib);
  expect_space(5 * gib, 20 * gib);
}

TEST_F(ControlGroups, OverTheLimitNothingIsFree) {
  write("groups", "0::/");
  write_version_2("", std::to_string(2 * gib), 3 * gib);
  expect_space(0, 2 * gib);
}

TEST_F(ControlGroups, Version1) {
  write("groups", "12:cpu,cpuacct:/other\n4:memory:/job\n1:name=systemd:/job");
  write("mount/memory/job/memory.limit_in_bytes", std::to_string(8 * gib));
  write("mount/memory/job/memory.usage_in_bytes", std::to_string(6 * gib));
  write("mount/memory/memory.limit_in_bytes", "9223372036854771712");
  write("mount/memory/memory.usage_in_bytes", std::to_string(20 * gib));
  expect_space(2 * gib, 8 * gib);
  write("mount/memory/job/memory.stat",
        "inactive_file 0\ntotal_inactive_file " + std::to_string(gib));
  expect_space(3 * gib, 8 * gib);
}

// A container sees its own group at the mount's top, but may be told the machine's path.
TEST_F(ControlGroups, AContainersPathMayBeTheMachines) {
  write("groups", "0::/system.slice/docker-0123.scope");
  write_version_2("", std::to_string(4 * gib), gib);
  expect_space(3 * gib, 4 * gib);
}

TEST_F(ControlGroups, HostMemoryIsWithinThem) {
  const Memory::Space space = HostMemory().space();
  EXPECT_GT(space.free, 0);
  EXPECT_LE(space.free, space.total);
  const Memory::Space again = within_control_groups(space);
  EXPECT_EQ(again.total, space.total);
}

}  // namespace
}  // namespace precis
