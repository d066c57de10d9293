# SPDX-License-Identifier: ISC
# cmake -D in=<file> -D path=</as/served> -D out=<file.inc> -P embed.cmake
# Writes one row of the table in bridges/web/pages.c: path, hash, bytes, bytes of gzip (none when they are no fewer).
function(bytes_of file rows count)
  file(READ ${file} hex HEX)
  file(SIZE ${file} size)
  string(REGEX REPLACE "(..)" "0x\\1," list "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" list "${list}")
  set(${rows} "${list}" PARENT_SCOPE)
  set(${count} ${size} PARENT_SCOPE)
endfunction()

cmake_path(GET out PARENT_PATH folder)
file(MAKE_DIRECTORY ${folder})
# -n leaves time and name out, so that the same file always gives the same bytes.
execute_process(COMMAND gzip -9 -n -c INPUT_FILE ${in} OUTPUT_FILE ${out}.gz COMMAND_ERROR_IS_FATAL ANY)
file(SHA256 ${in} hash)
string(SUBSTRING ${hash} 0 32 hash)
bytes_of(${in} plain plain_size)
bytes_of(${out}.gz packed packed_size)
if(NOT packed_size LESS plain_size)
  set(packed "0")
  set(packed_size 0)
endif()
if(plain_size EQUAL 0)
  set(plain "0")
endif()
file(WRITE ${out} "{\"${path}\", \"${hash}\",\n(const uint8_t[]){${plain}}, ${plain_size},\n(const uint8_t[]){${packed}}, ${packed_size}},\n")
