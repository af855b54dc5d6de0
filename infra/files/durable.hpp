// Folders and small files that are there after a power cut too.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "events/core/journal_error.hpp"

namespace berth {

// Makes names created, renamed or removed in the folder durable.
std::optional<journal_error> sync_folder(const std::filesystem::path& folder);

// The folder and those above it, if they are not there. Those made are durable.
std::optional<journal_error> make_folder(const std::filesystem::path& folder);

// A file that is there as a whole or not at all, mode 0600.
std::optional<journal_error> write_whole_file(const std::filesystem::path& path,
                                              std::string_view bytes);

// Cuts a file and syncs it.
std::optional<journal_error> truncate_file(const std::filesystem::path& path, std::uint64_t size);

}  // namespace berth
