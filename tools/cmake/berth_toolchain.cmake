# Compiler flags for every target, in one place. BERTH_ASSERT stays on in every build type.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)

# BERTH_SANITIZE: "" | "address,undefined" | "thread" (presets dev and tsan).
set(BERTH_SANITIZE "" CACHE STRING "Sanitizers to build with")
if(BERTH_SANITIZE)
  # `null` fires inside CAF 0.17.6 (init_fun_factory.hpp); `vptr` needs RTTI of libraries built without it.
  add_compile_options(-fsanitize=${BERTH_SANITIZE} -fno-sanitize-recover=all)
  if(BERTH_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize=null,vptr)
  endif()
  # TSan does not know Asio's fences; the locks around what they order, it does.
  if(BERTH_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-tsan)
  endif()
  # GCC 12 sees uninitialised values in <regex> when it instruments.
  add_compile_options(-Wno-error=maybe-uninitialized)
  add_link_options(-fsanitize=${BERTH_SANITIZE})
endif()

# BERTH_FUZZ (preset fuzz, clang): every library tells libFuzzer where it goes; tests/fuzz/ links the driver.
if(BERTH_FUZZ)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
  # `vptr` needs RTTI of libraries built without it.
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all)
  add_link_options(-fsanitize=address,undefined)
endif()
