#include "io/state_file.hpp"

#include <mpi.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <csignal>
#include <cstdlib>

#include "io/compare.hpp"
#include "io/file_damage.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_folder.hpp"

namespace precis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// One of everything that a file can hold.
struct Everything {
  std::string text = "{\"step\": 120, \"name\": \"précis\"}";
  std::string empty_text;
  std::vector<std::uint8_t> bytes{0, 1, 255, 0};
  std::vector<float> f32{1.0F, -0.0F, 3.25F, HUGE_VALF, 1e-42F, 6.0F};
  std::vector<double> f64{1.0 / 3.0};
  std::vector<std::int32_t> i32{-1, 2};
  std::vector<std::int64_t> i64{std::int64_t{1} << 60};
  std::vector<float> none;
};

void write_everything(const std::filesystem::path& path) {
  const Everything state;
  StateWriter writer(path, checkpoint_format);
  writer.text("state", state.text);
  writer.text("empty", state.empty_text);
  writer.bytes("a/bytes", state.bytes);
  writer.tensor("a/b/f32", view_of(state.f32.data(), Shape{2, 3}));
  writer.tensor("a/b/f64", view_of(state.f64));
  writer.tensor("i32", view_of(state.i32));
  writer.tensor("i64", view_of(state.i64));
  writer.tensor("none", view_of(state.none.data(), Shape{0, 3}));
  writer.commit();
}

/// A tensor's elements in row-major order.
template <class T>
std::vector<T> list_of(const StateReader& reader, const std::string& path) {
  const DatasetInfo info = reader.info(path);
  std::vector<T> values(info.size_bytes / sizeof(T));
  Shape shape;
  for (const std::int64_t size : info.shape) {
    shape.append(size);
  }
  reader.tensor(path, view_of(values.data(), shape));
  return values;
}

std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) {
    result.push_back(std::bit_cast<std::uint32_t>(value));
  }
  return result;
}

TEST(StateFile, ReadsWhatItWrote) {
  const TemporaryFolder folder;
  write_everything(folder / "state.h5");
  const StateReader reader(folder / "state.h5");
  const Everything expected;
  EXPECT_EQ(reader.text("state"), expected.text);
  EXPECT_EQ(reader.text("empty"), expected.empty_text);
  EXPECT_EQ(reader.bytes("a/bytes"), expected.bytes);
  EXPECT_EQ(bits(list_of<float>(reader, "a/b/f32")), bits(expected.f32));
  EXPECT_EQ(list_of<double>(reader, "a/b/f64"), expected.f64);
  EXPECT_EQ(list_of<std::int32_t>(reader, "i32"), expected.i32);
  EXPECT_EQ(list_of<std::int64_t>(reader, "i64"), expected.i64);
  EXPECT_EQ(list_of<float>(reader, "none"), expected.none);
}

TEST(StateFile, KnowsItsContent) {
  const TemporaryFolder folder;
  write_everything(folder / "state.h5");
  const StateReader reader(folder / "state.h5");
  EXPECT_EQ(reader.format(), checkpoint_format);
  EXPECT_THAT(reader.attributes(), ElementsAre("code", "format", "host", "written"));
  EXPECT_THAT(reader.children(), ElementsAre("a", "empty", "i32", "i64", "none", "state"));
  EXPECT_TRUE(reader.contains("a/b/f32"));
  EXPECT_TRUE(reader.is_group("a/b"));
  EXPECT_FALSE(reader.contains("b/f32"));
  const DatasetInfo info = reader.info("a/b/f32");
  EXPECT_EQ(info.dtype, "f32");
  EXPECT_EQ(info.shape, (Extents{2, 3}));
  EXPECT_EQ(info.size_bytes, 24U);
  EXPECT_TRUE(info.digest.has_value());
  EXPECT_EQ(reader.datasets().size(), 8U);
  EXPECT_EQ(reader.datasets("a/b")[1].path, "a/b/f64");
}

TEST(StateFile, ReadsAPart) {
  const TemporaryFolder folder;
  write_everything(folder / "state.h5");
  const StateReader reader(folder / "state.h5");
  const Shard column = split(whole({2, 3}), 1, 2, 3);
  std::vector<float> part(2);
  reader.tensor("a/b/f32", view_of(part.data(), Shape{2, 1}), column);
  EXPECT_THAT(part, ElementsAre(3.25F, 6.0F));
}

TEST(StateFile, ConvertsBetweenF32AndBf16) {
  const TemporaryFolder folder;
  // 1 + 2^-8 lies half way between two bf16 and goes to the even one; 1 + 3·2^-8 too.
  const std::vector<float> values{1.0F, -2.5F, 1.00390625F, 1.01171875F, NAN, HUGE_VALF};
  const std::vector<BFloat16> short_values{{0x3f80}, {0xc020}};
  StateWriter writer(folder / "state.h5", checkpoint_format);
  writer.tensor("f32", view_of(values));
  writer.tensor("bf16", view_of(short_values));
  writer.commit();
  const StateReader reader(folder / "state.h5");
  EXPECT_EQ(reader.info("bf16").dtype, "bf16");
  std::vector<BFloat16> rounded(6);
  reader.tensor("f32", view_of(rounded));
  EXPECT_EQ(rounded[0].bits, 0x3f80);
  EXPECT_EQ(rounded[1].bits, 0xc020);
  EXPECT_EQ(rounded[2].bits, 0x3f80);
  EXPECT_EQ(rounded[3].bits, 0x3f82);
  EXPECT_EQ(rounded[4].bits & 0x7fff, 0x7fc0);
  EXPECT_EQ(rounded[5].bits, 0x7f80);
  std::vector<float> widened(2);
  reader.tensor("bf16", view_of(widened));
  EXPECT_THAT(widened, ElementsAre(1.0F, -2.5F));
}

TEST(StateFile, NamesWhatDoesNotFit) {
  const TemporaryFolder folder;
  write_everything(folder / "state.h5");
  const StateReader reader(folder / "state.h5");
  std::vector<float> six(6);
  std::vector<std::int32_t> integers(6);
  EXPECT_THAT(message_of<Error>([&] {
                reader.tensor("a/b/f32", view_of(six.data(), Shape{3, 2}));
              }),
              AllOf(HasSubstr("state.h5, dataset a/b/f32"), HasSubstr("found the shape (2, 3)"),
                    HasSubstr("expected (3, 2)")));
  EXPECT_THAT(message_of<Error>([&] {
                reader.tensor("a/b/f16", view_of(six.data(), Shape{3, 2}));
              }),
              AllOf(HasSubstr("dataset a/b/f16"), HasSubstr("missing"), HasSubstr("(3, 2)")));
  EXPECT_THAT(message_of<Error>([&] {
                reader.tensor("a/b/f32", view_of(integers.data(), Shape{2, 3}));
              }),
              AllOf(HasSubstr("type f32"), HasSubstr("expected i32")));
  EXPECT_THAT(message_of<Error>([&] { (void)reader.text("i32"); }), HasSubstr("dataset i32"));
}

TEST(StateFile, NamesTheFileThatIsNone) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<Error>([&] { StateReader reader(folder / "none.h5"); }),
              AllOf(HasSubstr("none.h5"), HasSubstr("does not exist")));
  EXPECT_THAT(message_of<Error>([&] { StateReader reader(folder.path()); }),
              HasSubstr("is a folder"));
  overwrite(folder / "text.h5", "not HDF5");
  EXPECT_THAT(message_of<Error>([&] { StateReader reader(folder / "text.h5"); }),
              AllOf(HasSubstr("text.h5"), HasSubstr("not an HDF5 file")));
  overwrite(folder / "empty.h5", "");
  EXPECT_THAT(message_of<Error>([&] { StateReader reader(folder / "empty.h5"); }),
              HasSubstr("not an HDF5 file"));
  StateWriter(folder / "other.h5", "precis model 99").commit();
  EXPECT_THAT(message_of<Error>([&] { StateReader reader(folder / "other.h5"); }),
              AllOf(HasSubstr("precis model 99"), HasSubstr("precis model 1")));
}

TEST(StateFile, FindsAFlippedBitInTensorsTextsAndBytes) {
  const TemporaryFolder folder;
  const auto damaged = [&](const std::string& needle) {
    write_everything(folder / "state.h5");
    flip_bit_at(folder / "state.h5", needle);
    return folder / "state.h5";
  };
  {
    const StateReader reader(damaged(bytes_of(3.25F)));
    std::vector<float> six(6);
    EXPECT_THAT(message_of<Error>([&] {
                  reader.tensor("a/b/f32", view_of(six.data(), Shape{2, 3}));
                }),
                AllOf(HasSubstr("state.h5, dataset a/b/f32"), HasSubstr("damaged")));
    std::vector<float> part(3);
    EXPECT_THAT(message_of<Error>([&] {
                  reader.tensor("a/b/f32", view_of(part.data(), Shape{1, 3}),
                                split(whole({2, 3}), 0, 0, 2));
                }),
                HasSubstr("damaged"));
    EXPECT_THAT(reader.verify("a/b/f32"), HasSubstr("damaged"));
    EXPECT_THAT(reader.verify("state"), IsEmpty());
  }
  EXPECT_THAT(message_of<Error>([&] { (void)StateReader(damaged("\"step\"")).text("state"); }),
              AllOf(HasSubstr("dataset state"), HasSubstr("damaged")));
  {
    const StateReader reader(damaged(std::string("\0\1\xff\0", 4)));
    EXPECT_THAT(message_of<Error>([&] { (void)reader.bytes("a/bytes"); }), HasSubstr("damaged"));
  }
}

TEST(StateFile, ReadsNothingWrongFromAFileWithAnyByteFlipped) {
  const TemporaryFolder folder;
  write_everything(folder / "state.h5");
  const std::string whole_file = read_file(folder / "state.h5");
  const std::uint64_t expected = content_digest(StateReader(folder / "state.h5"));
  for (std::size_t place = 0; place < whole_file.size(); place += 3) {
    std::string content = whole_file;
    content[place] = static_cast<char>(content[place] ^ 0x10);
    overwrite(folder / "flipped.h5", content);
    try {
      const StateReader reader(folder / "flipped.h5");
      bool damaged = false;
      for (const DatasetInfo& info : reader.datasets()) {
        damaged = damaged || !reader.verify(info.path).empty();
      }
      if (!damaged) {
        // Gaps between the pieces of a file hold nothing; all else must be found.
        EXPECT_EQ(content_digest(reader), expected) << "byte " << place;
      }
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("flipped.h5")) << "byte " << place;
    }
  }
}

TEST(StateFile, FindsATruncatedFile) {
  const TemporaryFolder folder;
  write_everything(folder / "state.h5");
  const std::string content = read_file(folder / "state.h5");
  for (const std::size_t size : {content.size() - 1, content.size() / 2, std::size_t{100}}) {
    overwrite(folder / "cut.h5", content.substr(0, size));
    EXPECT_THAT(message_of<Error>([&] { StateReader reader(folder / "cut.h5"); }),
                AllOf(HasSubstr("cut.h5"), HasSubstr("truncated")));
  }
}

TEST(StateFile, IsNotThereWithoutCommit) {
  const TemporaryFolder folder;
  {
    StateWriter writer(folder / "state.h5", model_format);
    writer.text("config", "{}");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

/// Files of this process may have no more than so many bytes while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(StateFile, SaysThatItCannotBeWrittenAndLeavesNothing) {
  const TemporaryFolder folder;
  for (const int count : {1, 10, 1000, 100'000}) {
    const std::vector<float> values(static_cast<std::size_t>(count), 1.5F);
    std::string message;
    {
      const FileSizeLimit limit(100'000);
      message = message_of<Error>([&] {
        StateWriter writer(folder / "state.h5", model_format);
        for (int i = 0; i < 2000; ++i) {
          writer.tensor("weights/" + std::to_string(i), view_of(values));
        }
        writer.commit();
      });
    }
    EXPECT_THAT(message, AllOf(HasSubstr("state.h5"), HasSubstr("File too large.")));
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  }
  write_everything(folder / "state.h5");
  EXPECT_TRUE(
      differences(StateReader(folder / "state.h5"), StateReader(folder / "state.h5")).empty());
}

TEST(Compare, EqualFilesAreEqual) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  write_everything(folder / "b.h5");
  const StateReader a(folder / "a.h5");
  const StateReader b(folder / "b.h5");
  EXPECT_THAT(differences(a, b), IsEmpty());
  EXPECT_EQ(content_digest(a), content_digest(b));
}

TEST(Compare, LeavesTheDeckAndTheWritersNameAside) {
  const TemporaryFolder folder;
  for (const char* name : {"a.h5", "b.h5"}) {
    StateWriter writer(folder / name, checkpoint_format);
    writer.text("deck", name);
    writer.attribute("layout", name);
    writer.commit();
  }
  EXPECT_THAT(differences(StateReader(folder / "a.h5"), StateReader(folder / "b.h5")), IsEmpty());
}

TEST(Compare, TrustsNoStoredDigest) {
  const TemporaryFolder folder;
  write_everything(folder / "a.h5");
  write_everything(folder / "b.h5");
  flip_bit_at(folder / "b.h5", bytes_of(1.0 / 3.0));
  EXPECT_THAT(differences(StateReader(folder / "a.h5"), StateReader(folder / "b.h5")),
              ElementsAre("a/b/f64: the data differ"));
}

TEST(Compare, SaysWhatDiffers) {
  const TemporaryFolder folder;
  const auto write = [&](const char* name, const char* text, std::vector<float> values,
                         const char* extra, Shape shape) {
    StateWriter writer(folder / name, checkpoint_format);
    writer.text("state", text);
    writer.tensor("values", view_of(values));
    writer.tensor("shaped", view_of(values.data(), shape));
    writer.text(extra, "");
    writer.commit();
  };
  write("a.h5", "{\"step\":1,\"seed\":2}", {1.0F, 2.0F, 3.0F, 4.0F}, "x", {2, 2});
  write("b.h5", "{\"step\":2,\"seed\":2}", {1.0F, 2.5F, 3.0F, 4.0F}, "y", {4});
  const StateReader a(folder / "a.h5");
  const StateReader b(folder / "b.h5");
  EXPECT_NE(content_digest(a), content_digest(b));
  EXPECT_THAT(differences(a, b),
              ElementsAre("shaped: f32 (2, 2) in the first, f32 (4) in the second",
                          "state: the texts differ in step",
                          "values: the data differ in 1 of 4 elements, by 0.5 at most",
                          "x: only in the first", "y: only in the second"));
}

TEST(StateFile, SaysWhatToGiveInPlaceOfAFolder) {
  const TemporaryFolder folder;
  const auto message = [&] {
    return message_of<Error>([&] { const StateReader reader(folder.path()); });
  };
  EXPECT_THAT(message(), HasSubstr("is a folder"));
  std::filesystem::create_directory(folder / "checkpoints");
  overwrite(folder / "checkpoints/latest", "step_000120.h5\n");
  EXPECT_THAT(message(), HasSubstr("checkpoints/step_000120.h5."));
  overwrite(folder / "policy.h5", "");
  EXPECT_THAT(message(), HasSubstr("policy.h5."));
  overwrite(folder / "config.json", "{}");
  EXPECT_THAT(message(), HasSubstr("precis import --from " + folder.path().string()));
}

/// Whether a file of this driver could be abandoned, and can still be closed.
bool abandons(const std::filesystem::path& path, hid_t access) {
  const hdf5::Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose,
                          "cannot create the file");
  hdf5::write_attribute(file.id(), "name", std::string("value"));
  const bool abandoned = hdf5::abandon(file.id());
  hdf5::flush(file.id());
  return abandoned;
}

TEST(Hdf5, OnlyAFileWithADescriptorIsAbandoned) {
  const TemporaryFolder folder;
  const hdf5::Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "cannot make a property list");
  EXPECT_TRUE(abandons(folder / "usual", access.id()));
  hdf5::check(H5Pset_fapl_core(access.id(), std::size_t{1} << 16, false), "no memory driver");
  EXPECT_FALSE(abandons(folder / "memory", access.id()));
  // In a process of its own, since MPI is started once.
  EXPECT_EXIT(
      {
        MPI_Init(nullptr, nullptr);
        hdf5::check(H5Pset_fapl_mpio(access.id(), MPI_COMM_SELF, MPI_INFO_NULL), "no MPI-IO");
        std::_Exit(abandons(folder / "mpi", access.id()) ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(Hdf5, HandsOnWhatAVisitThrows) {
  const TemporaryFolder folder;
  {
    StateWriter writer(folder / "a.h5", checkpoint_format);
    writer.text("first", "1");
    writer.text("group/second", "2");
    writer.commit();
  }
  const hdf5::Handle file = hdf5::open_file(folder / "a.h5");
  struct Stop {
    std::string name;
  };
  const auto stopped_at = [&](auto&& list) -> std::string {
    int visits = 0;
    try {
      list([&](const char* name) {
        if (++visits == 2) {
          throw Stop{name};
        }
      });
    } catch (const Stop& stop) {
      EXPECT_EQ(visits, 2);
      return stop.name;
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(stopped_at([&](const hdf5::Visit& v) { hdf5::for_each_link(file.id(), "/", v); }),
            "group");
  EXPECT_EQ(stopped_at([&](const hdf5::Visit& v) { hdf5::for_each_dataset(file.id(), "/", v); }),
            "group/second");
  EXPECT_EQ(stopped_at([&](const hdf5::Visit& v) { hdf5::for_each_attribute(file.id(), v); }),
            "format");
  // The file is whole, and HDF5 keeps no error of the visits that were ended.
  EXPECT_EQ(H5Eget_num(H5E_DEFAULT), 0);
  EXPECT_EQ(hdf5::read_text(hdf5::open_dataset(file.id(), "group/second").id()), "2");
  EXPECT_THAT(message_of<Error>([&] { hdf5::for_each_link(file.id(), "/none", [](auto) {}); }),
              HasSubstr("cannot list it: "));
}

}  // namespace
}  // namespace precis
